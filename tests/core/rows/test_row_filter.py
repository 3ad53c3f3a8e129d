"""Which rows are connection rows: conditions on their attributes."""

from __future__ import annotations

import pytest

from reaper.core.rows.row_filter import parse_row_filter

OPEN = {"kind": {"S": "CONN"}, "live": {"BOOL": True}, "v": {"N": "2"}}


def passes(text, item):
    return all(condition.is_met_by(item) for condition in parse_row_filter(text))


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ("kind=CONN", True),
        ("kind=CON", False),
        ("kind=CONN|ROOM", True),
        ("kind=(?!CLOSED).*", True),
        ("live=true", True),
        ("live=false", False),
        ("v=2", True),
        ("nothing=.*", False),
        ("!nothing", True),
        ("! nothing", True),
        ("!kind", False),
        ("!a.b", True),
        ("kind=CONN && !disconnectedAt && live=true", True),
        ("kind=CONN  &&  v=3", False),
        ("kind=CONN&&X|CONN", True),
        ("a=b=c|.*", False),
    ],
)
def test_all_conditions_must_be_met(text, is_met):
    assert passes(text, OPEN) is is_met


@pytest.mark.parametrize(
    "value",
    [{"NULL": True}, {"S": ""}, {"L": []}, {"M": {}}, {"SS": []}],
)
def test_null_and_empty_count_as_absent(value):
    assert passes("!closedAt", {"closedAt": value})


@pytest.mark.parametrize(
    "value", [{"S": "x"}, {"N": "0"}, {"BOOL": False}, {"L": [{"S": ""}]}, {"M": {"a": {"S": ""}}}]
)
def test_whatever_says_something_does_not(value):
    assert not passes("!closedAt", {"closedAt": value})


@pytest.mark.parametrize("value", [{"NULL": True}, {"L": []}, {"M": {}}, {"SS": ["a"]}])
def test_what_has_no_text_matches_no_pattern(value):
    assert not passes("kind=.*", {"kind": value})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind", "must be attribute=regex"),
        ("kind=(", "must hold a regular expression after kind="),
        ("kind=a && ", "must be attribute=regex"),
        ("!", "must be an attribute name"),
        ("!kind=a", "a regex can say not"),
        ("=a", "must be an attribute name"),
        ("a..b=c", "single dots"),
    ],
)
def test_what_is_no_filter_is_told_with_an_example(text, says):
    with pytest.raises(ValueError, match=says):
        parse_row_filter(text)
