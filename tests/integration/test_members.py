"""Rows that hold many connections: each member goes alone, and comes back alone."""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import pytest

from reaper.core.model import Change
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import attribute_path
from reaper.core.rows.members import Leaving, Returning
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row_filter import parse_row_filter
from reaper.core.rows.shape import RowShape
from reaper.sweep.eviction.members import remove_members
from tests.support import faulty_gateway as faults
from tests.support.builders import ENDPOINT
from tests.support.faulty_gateway import FaultyGateway
from tests.support.open_table import a_table


@cache
def old() -> dict[str, str]:
    """Ten minutes ago, as the gateway says of everybody; the same moment in all rows of a test."""
    return {"N": str(int((time.time() - 600) * 1000))}


def texts(*ids: str) -> dict[str, Any]:
    return {"L": [{"S": one} for one in ids]}


def people(*ids: str) -> dict[str, Any]:
    return {
        "L": [
            {"M": {"connection-id": {"S": one}, "joined": old(), "name": {"S": f"of {one}"}}}
            for one in ids
        ]
    }


def seats(*ids: str) -> dict[str, Any]:
    return {"M": {one: {"M": {"connectedAt": old(), "name": {"S": f"of {one}"}}} for one in ids}}


def room(name: str, **attributes: Any) -> dict[str, Any]:
    """With times of its own, which say nothing of its members."""
    now = {"N": str(int(time.time() * 1000))}
    return {"room": {"S": name}, "title": {"S": "x"}, "connectedAt": now, "lastSeenAt": now} | {
        name.replace("_", "-"): value for name, value in attributes.items()
    }


def tables() -> dict[str, Any]:
    """By the attribute: rows before and after, and how many members go."""
    old.cache_clear()
    return {
        "members[]": (
            [
                room("a", members={"SS": ["dead1", "live1", "live2"]}),
                room("b", members=texts("dead1", "live1", "dead2", "dead1", "live3")),
                room("c", members={"SS": ["dead1", "dead2"]}),
                room("d", members=texts("dead3")),
                room("e", members=texts()),
                room("f", topic={"S": "no members at all"}),
            ],
            [
                room("a", members={"SS": ["live1", "live2"]}),
                room("b", members=texts("live1", "live3")),
                room("c"),
                room("d", members=texts()),
                room("e", members=texts()),
                room("f", topic={"S": "no members at all"}),
            ],
            7,
        ),
        "members": (
            [
                room("a", members={"SS": ["dead1", "live1"]}),
                room("b", members=texts("dead1", "live1")),
                room("c", members={"S": "live1"}),
                room("d", members={"S": "live2"}) | {"lastSeenAt": old(), "connectedAt": old()},
                room("e", members={"S": "dead1"}) | {"lastSeenAt": old(), "connectedAt": old()},
            ],
            [
                room("a", members={"SS": ["live1"]}),
                room("b", members=texts("live1")),
                room("c", members={"S": "live1"}),
                room("d", members={"S": "live2"}) | {"lastSeenAt": old(), "connectedAt": old()},
            ],
            3,
        ),
        "data.people[].connection-id": (
            [
                room("a", data={"M": {"people": people("dead1", "live1", "dead2"), "n": old()}}),
                room("b", data={"M": {"people": people("live2", "dead1")}}),
                room("c", data={"M": {"n": old()}}),
            ],
            [
                room("a", data={"M": {"people": people("live1"), "n": old()}}),
                room("b", data={"M": {"people": people("live2")}}),
                room("c", data={"M": {"n": old()}}),
            ],
            3,
        ),
        "seats{}": (
            [
                room("a", seats=seats("live1", "live2", "live3", "dead1")),
                room("b", seats=seats("dead2", "dead1")),
            ],
            [room("a", seats=seats("live1", "live2", "live3")), room("b", seats=seats())],
            3,
        ),
        "keys{}": (
            [
                room(
                    "a",
                    keys={"M": {"u": texts("x", "y"), "u[1]#dead1": old(), "u[0]#live1": old()}},
                )
            ],
            [room("a", keys={"M": {"u": texts("x", "y"), "u[0]#live1": old()}})],
            1,
        ),
        "data.ids[]": (
            [
                room("a", data={"M": {"ids": {"SS": ["dead1", "dead2", "live1"]}}}),
                room("b", data={"M": {"ids": {"SS": ["dead1"]}, "n": old()}}),
            ],
            [
                room("a", data={"M": {"ids": {"SS": ["live1"]}}}),
                room("b", data={"M": {"n": old()}}),
            ],
            3,
        ),
    }


BESIDE = {
    "keys{}": {"CONNECTION_ID_PATTERN": "u[[][0-9][]]#(.+)"},
    "data.people[].connection-id": {"CONNECTED_AT_ATTRIBUTE": "data.people[].joined"},
    "seats{}": {"CONNECTED_AT_ATTRIBUTE": "seats{}.connectedAt"},
}


def by_room(rows) -> dict[str, Any]:
    """Sets and what was added at a list's end are in no order."""

    def sorted_in(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: sorted_in(held) for name, held in value.items()}
        if isinstance(value, list):
            return sorted(map(sorted_in, value), key=lambda one: json.dumps(one, sort_keys=True))
        return value

    clocks = ("connectedAt", "lastSeenAt")
    return {
        row["room"]["S"]: sorted_in({n: v for n, v in row.items() if n not in clocks})
        for row in rows
    }


@pytest.mark.parametrize("attribute", tables())
def test_each_member_is_a_connection(cloud, tmp_path, attribute):
    rows, left, evicted = tables()[attribute]
    table = cloud.make_table(("room", "S"))
    cloud.put(table, *rows)
    audit = tmp_path / "audit.jsonl"
    settings = {"CONNECTION_ID_ATTRIBUTE": attribute} | BESIDE.get(attribute, {})
    gone = dict.fromkeys(("dead1", "dead2", "dead3"), faults.gone)
    with FaultyGateway(gone) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_AUDIT_LOG=str(audit),
            **{f"REAPER_{name}": value for name, value in settings.items()},
        )
        checked = cloud.reaper("check", environment=environment)
        done = cloud.reaper("sweep", "--json", "--trust-endpoint", environment=environment)
    assert checked.code == 0, checked.stdout
    assert done.code == 0, done.stderr
    assert by_room(cloud.rows(table)) == by_room(left)
    assert (done.report["evicted"], done.report["failed"]) == (evicted, 0)
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["audit"] for line in lines] == ["evict"] * evicted
    assert all("title" not in line["item"] for line in lines if line["member"])

    tried = cloud.reaper("restore", str(audit), "--dry-run", environment=environment)
    assert f"{evicted} would be put back" in tried.stdout
    for report in (f"{evicted} put back", f"{evicted} left alone"):
        restored = cloud.reaper("restore", str(audit), environment=environment)
        assert report in restored.stdout, restored.stdout + restored.stderr
    assert by_room(cloud.rows(table)) == by_room(rows)


SHAPES = {
    "a set": ("members[]", {"SS": []}),
    "a list": ("members[]", {"L": []}),
    "a list of maps": ("members[].id", {"L": []}),
    "a map": ("members{}", {"M": {}}),
}


def member(kind: str, name: str) -> Any:
    return {
        "a set": name,
        "a list": {"S": name},
        "a list of maps": {"M": {"id": {"S": name}}},
        "a map": {name: {"M": {"n": {"N": "1"}}}},
    }[kind]


class Application:
    """Writes a room while others are taken out of it, as applications do."""

    def __init__(self, cloud, table: str, kind: str) -> None:
        self.joined: list[str] = []
        self._cloud, self._table, self._kind = cloud, table, kind
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        for n in itertools.count():
            if self._stop.wait(0.01):
                return
            self._join(f"new{n}")
            if n % 2 and self._kind in ("a list", "a list of maps"):
                self._leave_first()

    def _join(self, name: str) -> None:
        one = member(self._kind, name)
        update, names, values = {
            "a set": ("ADD members :one", {}, {":one": {"SS": [one]}}),
            "a map": ("SET members.#key = :one", {"#key": name}, {":one": {"S": "x"}}),
        }.get(
            self._kind,
            ("SET members = list_append(:one, members)", {}, {":one": {"L": [one]}}),
        )
        self._cloud.dynamodb.update_item(
            TableName=self._table,
            Key={"room": {"S": "lobby"}},
            UpdateExpression=update,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )
        self.joined.append(name)

    def _leave_first(self) -> None:
        """Who came last, and stands before all others."""
        self._cloud.dynamodb.update_item(
            TableName=self._table,
            Key={"room": {"S": "lobby"}},
            UpdateExpression="REMOVE members[0]",
        )
        self.joined.pop()


@pytest.mark.parametrize("kind", SHAPES)
def test_while_others_come_and_go_in_the_same_row_nobody_else_goes(cloud, monkeypatch, kind):
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    attribute, empty = SHAPES[kind]
    shape = RowShape(("room",), attribute_path(attribute), (), (), ()).of_members
    names = [f"{'dead' if n % 3 else 'live'}{n}" for n in range(300)]
    ((what, held),) = empty.items()
    for name in names:
        one = member(kind, name)
        held = held | one if what == "M" else [*held, one]
    table = a_table(cloud, cloud.make_table(("room", "S")))
    table.describe()
    cloud.put(table.name, {"room": {"S": "lobby"}, "members": {what: held}})
    reader = RowReader(shape, EndpointResolver(ENDPOINT, ENDPOINT.region))
    rows = reader.read_page(table.scan_page(shape).items(), time.time())
    dead = [row for row in rows if row.connection_id.startswith("dead")]
    with Application(cloud, table.name, kind) as application:
        waiting = dead
        for _ in range(20):
            changes = remove_members(waiting, table)
            assert not [one for one in changes if isinstance(one, Exception)]
            found = shape.by_identity(table.read([dead[0].key]))
            waiting = [row for row in waiting if row.identity in found]
            if not waiting:
                break
    table.close()
    now = reader.read_page(cloud.rows(table.name), time.time())
    left = [row.connection_id for row in now]
    assert waiting == []
    assert sorted(left) == sorted([one for one in names if "live" in one] + application.joined)


def test_a_filter_on_the_text_of_a_set_keeps_nobody_else_in_it(cloud, monkeypatch):
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    shape = RowShape(
        ("room",), attribute_path("ids[]"), (), (), (), row_filter=parse_row_filter("ids[]=d.*")
    ).of_members
    table = a_table(cloud, cloud.make_table(("room", "S")))
    table.describe()
    cloud.put(table.name, {"room": {"S": "lobby"}, "ids": {"SS": ["admin", "dead1"]}})
    reader = RowReader(shape, EndpointResolver(ENDPOINT, ENDPOINT.region))
    rows = reader.read_page(cloud.rows(table.name), time.time())
    assert remove_members(rows, table) == [Change.DONE]
    assert cloud.rows(table.name) == [{"room": {"S": "lobby"}, "ids": {"SS": ["admin"]}}]
    table.close()


CHANGES = {
    "a set without it": ("ids[]", {"SS": ["a", "b"]}, {"SS": ["b"]}),
    "a set in a map that is another one": (
        "in.ids[]",
        {"M": {"ids": {"SS": ["a", "b"]}}},
        {"M": {"ids": {"SS": ["a", "c"]}}},
    ),
    "a list that has moved": ("ids[]", texts("a", "b"), texts("c", "a", "b")),
    "a list that is a set by now": ("ids[]", texts("a", "b"), {"SS": ["a", "b"]}),
    "another id at the place": (
        "ids[].id",
        {"L": [{"M": {"id": {"S": "a"}}}]},
        {"L": [{"M": {"id": {"S": "new"}}}]},
    ),
    "another time beside it": (
        "ids[].id",
        {"L": [{"M": {"id": {"S": "a"}, "at": {"N": "1"}}}]},
        {"L": [{"M": {"id": {"S": "a"}, "at": {"N": "2"}}}]},
    ),
    "a key that is gone": ("ids{}", {"M": {"a": {"N": "1"}}}, {"M": {"b": {"N": "1"}}}),
    "another time under the key": ("ids{}", {"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "2"}}}),
    "a user who has come back": (
        "ids{}.id",
        {"M": {"alice": {"M": {"id": {"S": "a"}}}}},
        {"M": {"alice": {"M": {"id": {"S": "new"}}}}},
    ),
    "no such attribute": ("ids[]", texts("a"), None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_member_goes_that_is_not_as_it_was_found(cloud, monkeypatch, change):
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    attribute, found, now = CHANGES[change]
    at = {"ids[].id": "ids[].at", "ids{}": "ids{}"}.get(attribute, "at")
    shape = RowShape(("room",), attribute_path(attribute), attribute_path(at), (), ()).of_members
    table = a_table(cloud, cloud.make_table(("room", "S")))
    table.describe()
    place = attribute.split(".")[0].rstrip("[]{}")
    item = {"room": {"S": "lobby"}, place: found}
    row = {"room": {"S": "lobby"}} | ({place: now} if now else {})
    going = [one for one in shape.members_in(item) if one.position != "b"][:1]
    cloud.put(table.name, row)
    assert table.remove_members(shape, [Leaving(item, going)]) == [Change.REFUSED]
    assert cloud.rows(table.name) == [row]

    cloud.put(table.name, item)
    assert table.remove_members(shape, [Leaving(item, going)]) == [Change.DONE]
    (left,) = cloud.rows(table.name)
    assert len(shape.members_in(left)) == len(shape.members_in(item)) - 1
    table.close()


def test_members_of_a_set_in_a_map_go_in_one_update(cloud, monkeypatch):
    """Its condition is on all of the set, which every update changes."""
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    shape = RowShape(("room",), attribute_path("in.ids[]"), (), (), ()).of_members
    table = a_table(cloud, cloud.make_table(("room", "S")))
    table.describe()
    ids = [f"c{n:03}" for n in range(500)]
    cloud.put(table.name, {"room": {"S": "lobby"}, "in": {"M": {"ids": {"SS": ids}}}})
    reader = RowReader(shape, EndpointResolver(ENDPOINT, ENDPOINT.region))
    rows = reader.read_page(cloud.rows(table.name), time.time())
    assert set(remove_members(rows[:400], table)) == {Change.DONE}
    (left,) = cloud.rows(table.name)
    assert sorted(left["in"]["M"]["ids"]["SS"]) == ids[400:]
    table.close()


def test_what_went_out_of_two_collections_of_a_row_comes_back_into_each(cloud, tmp_path):
    table = cloud.make_table(("room", "S"))
    row = room(
        "a",
        m=texts("dead1", "live1"),
        data={"M": {"w": {"SS": ["dead1", "live1"]}, "p": people("dead1", "live1")}},
    )
    cloud.put(table, row)
    audit = tmp_path / "audit.jsonl"
    attributes = ("m[]", "data.w[]", "data.p[].connection-id")
    with FaultyGateway({"dead1": faults.gone}) as server, ThreadPoolExecutor() as pool:
        environments = [
            cloud.environment(
                table,
                server.url,
                REAPER_AUDIT_LOG=str(audit),
                REAPER_CONNECTION_ID_ATTRIBUTE=attribute,
            )
            for attribute in attributes
        ]
        sweep = partial(cloud.reaper, "sweep", "--json", "--trust-endpoint")
        done = pool.map(lambda environment: sweep(environment=environment), environments)
        assert [one.report["evicted"] for one in done] == [1, 1, 1]
    environment = environments[0]
    restored = cloud.reaper("restore", str(audit), environment=environment)
    assert "3 put back" in restored.stdout
    assert by_room(cloud.rows(table)) == by_room([row])


def test_members_come_back_into_a_row_that_others_write(cloud, monkeypatch):
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    table = a_table(cloud, cloud.make_table(("room", "S")))
    table.describe()
    key = {"room": {"S": "lobby"}}
    for kind, (_, empty) in SHAPES.items():
        cloud.put(table.name, key | {"members": empty if kind != "a set" else {"SS": ["x"]}})
        with Application(cloud, table.name, kind) as application:
            for n in range(20):
                one = member(kind, f"back{n}")
                ((what, _),) = empty.items()
                returning = Returning(
                    key, ("members",), {what: one if what == "M" else [one]}, {what: empty[what]}
                )
                assert table.put_back_members([returning]) == [Change.DONE]
        (row,) = cloud.rows(table.name)
        ((_, held),) = row["members"].items()
        assert len(held) == 20 + len(application.joined) + (kind == "a set")
    table.close()
