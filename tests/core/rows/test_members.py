"""Rows that hold many connections: what each member is, by itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reaper.core.rows.items import attribute_path, spelled
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row_filter import parse_row_filter
from reaper.core.rows.shape import RowShape
from tests.support.builders import NOW, SHAPE
from tests.support.world import ENDPOINT
from tests.support.world import EndpointResolver as Resolver

OLD = {"N": str(NOW - 600)}
NEW = {"N": str(NOW)}


def shape_of(ids: str, **more) -> RowShape:
    paths = {name: attribute_path(text) for name, text in more.items() if isinstance(text, str)}
    others = {name: value for name, value in more.items() if not isinstance(value, str)}
    shape = replace(
        SHAPE, key_names=("room",), connection_id=attribute_path(ids), **paths, **others
    )
    return shape.of_members if shape.collection else shape


def read(shape: RowShape, **attributes):
    reader = RowReader(shape, Resolver(ENDPOINT, ENDPOINT.region))
    return reader.read({"room": {"S": "r"}} | attributes, NOW)


def maps(*members: dict) -> dict:
    return {"L": [{"M": one} for one in members]}


def person(name: str, **more) -> dict:
    return {"id": {"S": name}} | more


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("clients[].id", ("clients", "[]", "id")),
        ("a.clients[].b.id", ("a", "clients", "[]", "b", "id")),
        ("clients{}", ("clients", "{}")),
        ("clients{}.at", ("clients", "{}", "at")),
        ("ids[]", ("ids", "[]")),
    ],
)
def test_a_mark_is_a_step_of_a_path(text, path):
    assert attribute_path(text) == path
    assert spelled(path) == text


@pytest.mark.parametrize(
    "text",
    ["[]", "[].a", "a..[]", "a[][]", "a[].b{}", "a{}{}", ".a[]", "m[]x", "m[ ]", "m[0].id", "{}m"],
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ValueError, match="must"):
        attribute_path(text)


@pytest.mark.parametrize(
    ("ids", "held"),
    [
        ("ids", {"SS": ["a", "b"]}),
        ("ids", {"L": [{"S": "a"}, {"S": "b"}]}),
        ("ids[]", {"SS": ["a", "b"]}),
        ("ids[]", {"L": [{"S": "a"}, {"N": "1"}, {"S": "b"}, {"M": {}}, {"NULL": True}]}),
        ("ids[].id", maps(person("a"), {"name": {"S": "without"}}, person("b"))),
        ("ids{}", {"M": {"a": {"NULL": True}, "b": {"S": "x"}}}),
    ],
)
def test_each_member_is_a_connection(ids, held):
    rows = read(shape_of(ids), ids=held, title={"S": "x"})
    assert [row.connection_id for row in rows if row.connection_id != "1"] == ["a", "b"]
    assert all(row.is_member for row in rows)
    assert len({row.identity for row in rows}) == len(rows)
    assert all("title" not in row.item and row.key == {"room": {"S": "r"}} for row in rows)


@pytest.mark.parametrize(
    ("ids", "held"),
    [("ids[]", {"L": []}), ("ids[].id", {"L": []}), ("ids{}", {"M": {}})],
)
def test_a_row_that_nobody_is_in_is_no_other_kind_of_row(ids, held):
    assert read(shape_of(ids), ids=held) == []


@pytest.mark.parametrize(
    ("ids", "held"),
    [
        ("ids[]", None),
        ("ids[]", {"S": "a"}),
        ("ids[]", {"M": {}}),
        ("ids{}", {"L": []}),
        ("ids[].id", maps({"other": {"S": "a"}})),
    ],
)
def test_a_row_without_the_collection_is_of_another_kind(ids, held):
    assert read(shape_of(ids), **({} if held is None else {"ids": held})) is None


def test_an_empty_list_in_place_of_an_id_is_no_malformed_row():
    assert read(shape_of("ids"), ids={"L": []}) == []


def test_who_stands_twice_in_a_list_has_two_places_each_for_itself():
    shape = shape_of("ids[].id", row_filter=parse_row_filter("!ids[].left"))
    held = maps(person("a", left=OLD), person("b"), person("a"), person("a", n=OLD))
    rows = read(shape, ids=held)
    assert [(row.connection_id, row.occurrence) for row in rows] == [("b", 0), ("a", 1), ("a", 2)]
    assert {row.identity for row in rows} < shape.by_identity(
        [{"room": {"S": "r"}, "ids": held}]
    ).keys()


def test_times_of_the_row_say_nothing_of_its_members():
    (row,) = read(shape_of("ids"), ids={"SS": ["a"]}, connectedAt=NEW, lastSeenAt=NEW)
    assert (row.connected_at, row.last_seen_at) == (None, None)
    (row,) = read(shape_of("ids"), ids={"S": "a"}, connectedAt=NEW, lastSeenAt=NEW)
    assert (row.connected_at, row.last_seen_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("ids", "at", "held"),
    [
        ("ids[].id", "ids[].at", maps(person("a", at=OLD), person("b", at=NEW))),
        ("ids{}", "ids{}.at", {"M": {"a": {"M": {"at": OLD}}, "b": {"M": {"at": NEW}}}}),
        ("ids{}", "ids{}", {"M": {"a": OLD, "b": NEW}}),
    ],
)
def test_times_beside_an_id_are_its_own(ids, at, held):
    rows = read(shape_of(ids, connected_at=at), ids=held)
    assert [row.connected_at for row in rows] == [NOW - 600, NOW]


def test_only_an_entry_under_its_id_is_of_that_connection_alone():
    (entry,) = read(shape_of("ids{}"), ids={"M": {"a": {"M": {}}}})
    (beside,) = read(shape_of("ids[].id"), ids=maps(person("a")))
    assert (entry.is_keyed_by_connection, beside.is_keyed_by_connection) == (True, False)


def test_a_pattern_and_a_filter_are_of_members():
    shape = shape_of(
        "ids[].id",
        id_pattern=re.compile("c#(.+)"),
        row_filter=parse_row_filter("!ids[].left && open=true"),
    )
    held = maps(person("c#a"), person("c#b", left=OLD), person("user"))
    (row,) = read(shape, ids=held, open={"BOOL": True})
    assert row.connection_id == "a"
    assert read(shape, ids=held, open={"BOOL": False}) is None


def test_a_member_is_untouched_while_what_is_watched_of_it_and_of_its_row_is():
    shape = shape_of("ids[].id", last_seen_at="ids[].seen", endpoint=(("endpoint",),))
    held = maps(person("a", seen=OLD), person("b", seen=OLD))
    row, _ = read(shape, ids=held)

    def is_untouched(**attributes) -> bool:
        found = shape.by_identity([{"room": {"S": "r"}} | attributes])
        return row.identity in found and row.is_untouched(found[row.identity])

    assert is_untouched(ids=held)
    assert is_untouched(ids=maps(person("x"), person("a", seen=OLD)), lastSeenAt=NEW)
    assert is_untouched(ids=maps(person("a", seen=OLD, typing={"BOOL": True})))
    assert not is_untouched(ids=maps(person("a", seen=NEW)))
    assert not is_untouched(ids=maps(person("b", seen=OLD)))
    assert not is_untouched(ids=held, endpoint={"S": "https://other.example.com/prod"})
    assert not is_untouched()


def test_a_scan_brings_collections_whole():
    shape = shape_of("data.ids[].id", connected_at="data.ids[].at")
    assert shape.needed == [("data", "ids"), ("room",)]


def test_a_members_item_has_nothing_of_its_row_but_what_is_needed():
    held = {"M": {"ids": {"SS": ["a", "b"]}, "history": OLD, "url": {"S": "x"}}}
    shape = shape_of("data.ids[]", endpoint=(("data", "url"),))
    members = shape.members_in({"room": {"S": "r"}, "data": held, "title": {"S": "x"}})
    assert [member.item for member in members] == [
        {"room": {"S": "r"}, "data": {"M": {"ids": {"SS": [one]}, "url": {"S": "x"}}}}
        for one in ("a", "b")
    ]
    assert held["M"]["ids"] == {"SS": ["a", "b"]}
