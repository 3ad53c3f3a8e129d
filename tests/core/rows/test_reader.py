"""Rows: from what tables hold to what a sweep needs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import attribute, attribute_path
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row_filter import Condition, parse_row_filter
from reaper.core.rows.shape import RowShape
from tests.support.builders import ENDPOINT, NOW

SHAPE = RowShape(
    key_names=("pk", "sk"),
    connection_id=("connectionId",),
    connected_at=("connectedAt",),
    last_seen_at=("lastSeenAt",),
    message_count=("messageCount",),
)
KEYS = {"pk": {"S": "ROOM#1"}, "sk": {"N": "7"}}


def read(item, **changes):
    reader = RowReader(replace(SHAPE, **changes), EndpointResolver(ENDPOINT, "eu-west-1"))
    (row,) = reader.read(KEYS | item, NOW) or [None]
    return row


def test_a_row_is_read_whole():
    row = read(
        {
            "connectionId": {"S": "abc="},
            "connectedAt": {"N": str(NOW - 100)},
            "lastSeenAt": {"N": str((NOW - 10) * 1000)},
            "messageCount": {"N": "12"},
        }
    )

    assert row.key == KEYS
    assert (row.connection_id, row.endpoint) == ("abc=", ENDPOINT)
    assert (row.connected_at, row.last_seen_at, row.message_count) == (NOW - 100, NOW - 10, 12)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"S": ""},
        {"S": " "},
        {"S": "."},
        {"S": ".."},
        {"S": "a\nb"},
        {"S": "x" * 257},
        {"NULL": True},
        {"NS": ["1"]},
        {"B": b"abc"},
    ],
)
def test_a_row_without_a_usable_id_has_none(value):
    assert read({} if value is None else {"connectionId": value}).connection_id == ""


def test_a_pattern_finds_the_id_in_a_composite_key():
    pattern = re.compile(r"CONN#([^#]+)")
    assert read({"connectionId": {"S": "CONN#abc="}}, id_pattern=pattern).connection_id == "abc="
    assert read({"connectionId": {"S": "CONN#TRIP#abc="}}, id_pattern=pattern) is None
    assert read({"connectionId": {"S": "USER#1"}}, id_pattern=pattern) is None


def test_a_pattern_without_a_group_takes_the_whole_value():
    pattern = re.compile(r"(?!__count__).+")
    assert read({"connectionId": {"S": "abc="}}, id_pattern=pattern).connection_id == "abc="
    assert read({"connectionId": {"S": "__count__"}}, id_pattern=pattern) is None


def test_a_filter_tells_connection_rows_from_others():
    row_filter = parse_row_filter("kind=META")
    item = {"connectionId": {"S": "abc="}}
    assert read(item | {"kind": {"S": "META"}}, row_filter=row_filter).connection_id == "abc="
    assert read(item | {"kind": {"S": "METADATA"}}, row_filter=row_filter) is None
    assert read(item, row_filter=row_filter) is None


def test_attributes_may_lie_in_maps_and_hold_hyphens():
    path = attribute_path("data.connection-id")
    item = {"data": {"M": {"connection-id": {"S": "abc="}}}}

    assert attribute(item, path) == {"S": "abc="}
    assert attribute({"data": {"S": "no map"}}, path) is None
    assert attribute({}, path) is None
    assert read(item, connection_id=path).connection_id == "abc="


@pytest.mark.parametrize("name", ["", ".", "a..b", "a.", ".a"])
def test_an_impossible_attribute_name_is_refused(name):
    with pytest.raises(ValueError, match="single dots"):
        attribute_path(name)


def test_a_scan_brings_only_what_is_needed_and_nothing_twice():
    shape = replace(
        SHAPE,
        endpoint=(("data",),),
        connection_id=("data", "id"),
        row_filter=parse_row_filter("pk=x"),
    )
    assert shape.needed == [
        ("connectedAt",),
        ("data",),
        ("lastSeenAt",),
        ("messageCount",),
        ("pk",),
        ("sk",),
    ]


def test_an_absurd_counter_is_capped():
    assert read({"messageCount": {"S": "9" * 400}}).message_count == 10**12


def test_what_an_index_does_not_hold_is_neither_read_nor_watched():
    shape = replace(SHAPE, projected=frozenset({"pk", "sk", "connectionId", "lastSeenAt"}))
    assert shape.needed == [("connectionId",), ("lastSeenAt",), ("pk",), ("sk",)]
    assert shape.watched == (("connectionId",), ("lastSeenAt",))
    assert shape.missing == []


def test_an_index_must_hold_what_tells_whose_a_row_is():
    shape = replace(
        SHAPE,
        projected=frozenset({"pk", "sk"}),
        endpoint=(("domainName",), ("stage",)),
        row_filter=parse_row_filter("kind=META"),
    )
    assert shape.missing == [("connectionId",), ("domainName",), ("stage",), ("kind",)]


@pytest.mark.parametrize("value", [{"S": "many"}, {"N": "-3"}, {"BOOL": True}, {"N": "1.5"}])
def test_a_counter_that_is_no_count_counts_nothing(value):
    assert read({"messageCount": value}).message_count == 0


def test_a_row_that_lacks_the_attribute_of_the_pattern_has_no_id():
    row = read({"other": {"S": "x"}}, id_pattern=re.compile(r"CONN#(.+)"))
    assert row.connection_id == ""


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"missed": {"N": "2"}},
        {"missed": {"N": "2"}, "at": {"N": "5"}},
        {"missed": {"N": "2"}, "at": {"NULL": True}, "unchanged": {"S": "x"}},
        {"missed": {"S": "two"}, "at": {"N": "5"}, "unchanged": {"S": "x"}},
    ],
)
def test_a_count_of_missed_pongs_that_is_not_whole_counts_nothing(held):
    row = read({"connectionId": {"S": "abc="}, "reaperMissedPongs": {"M": held}}, counts_pongs=True)
    assert row.missed_pongs is None


def test_a_filter_may_look_at_an_attribute_that_is_no_key():
    row_filter = parse_row_filter("kind=connection")
    shape = replace(SHAPE, row_filter=row_filter)
    assert ("kind",) in shape.needed
    assert ("kind",) in shape.watched
    kept = read({"connectionId": {"S": "abc="}, "kind": {"S": "connection"}}, row_filter=row_filter)
    assert kept.connection_id == "abc="
    assert read({"connectionId": {"S": "abc="}}, row_filter=row_filter) is None


def test_a_value_longer_than_any_id_is_never_matched_against_a_pattern():
    """Its owner may have chosen it so that the match never ends."""
    hostile = {"connectionId": {"S": "a" * 5000 + "!"}}
    slow = re.compile(r"(a|a)*(a|a)*")
    assert read(hostile, id_pattern=slow).connection_id == ""
    assert read(hostile, row_filter=(Condition(("connectionId",), slow),)) is None
