"""What an eviction changes on a row that stays."""

from __future__ import annotations

import pytest

from reaper.core.rows.clearing import Clearing, overlapping, parse_assigned
from tests.support.builders import NOW

ID = ("ws", "id")


def assigned(text):
    clearing = Clearing(ID, (), parse_assigned(text))
    return {".".join(path): value for path, value in clearing.assigned_at(NOW)}


def test_values_are_those_of_json():
    text = '{"a": false, "b": null, "c": 1.10, "d.e": "x", "f": [1, {"g": true}]}'
    assert assigned(text) == {
        "a": {"BOOL": False},
        "b": {"NULL": True},
        "c": {"N": "1.10"},
        "d.e": {"S": "x"},
        "f": {"L": [{"N": "1"}, {"M": {"g": {"BOOL": True}}}]},
    }


def test_the_time_is_a_number_where_it_stands_alone():
    assert assigned(
        '{"a": "{now}", "b": "{now_ms}", "c": "{now_iso}", "d": "at {now}: {now_iso}"}'
    ) == {
        "a": {"N": "1795500000"},
        "b": {"N": "1795500000000"},
        "c": {"S": "2026-11-24T06:00:00.000Z"},
        "d": {"S": "at 1795500000: 2026-11-24T06:00:00.000Z"},
    }


def test_only_what_is_there_is_removed():
    clearing = Clearing(ID, (("token",), ("a", "b")))
    item = {"ws": {"M": {"id": {"S": "x"}}}, "a": {"M": {"c": {"S": ""}}}, "token": {"NULL": True}}
    assert clearing.removed_from(item) == [ID, ("token",)]


@pytest.mark.parametrize("text", ["", "x", "[1]", '{"a": NaN}', '{"a..b": 1}', "[" * 100_000])
def test_what_is_no_object_of_attributes_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        parse_assigned(text)


@pytest.mark.parametrize(
    ("paths", "pair"),
    [
        ([ID, ("token",), ("a",)], None),
        ([ID, ("ws",)], (ID, ("ws",))),
        ([("a",), ("b", "c"), ("a",)], (("a",), ("a",))),
    ],
)
def test_no_attribute_can_be_changed_twice(paths, pair):
    assert overlapping(paths) == pair
