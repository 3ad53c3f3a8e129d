"""Missed pongs: counted in a row, and void with every sign of life."""

from __future__ import annotations

import pytest

from reaper.core.pongs import BloomFilter, PongRules, fingerprint, missed_again
from reaper.core.rows.row import MissedPongs
from tests.support.builders import NOW, a_row

RULES = PongRules(timeout_seconds=10, max_missed=3, forget_after_seconds=900)


def a_row_that_holds(**item):
    return a_row(age=600)._replace(item=item)


ROW = a_row_that_holds(connectionId={"S": "abc="}, lastSeenAt={"N": "1795500000"})


def counted(missed: int, seconds_ago: float, *, unchanged: str = ""):
    note = MissedPongs(missed, NOW - seconds_ago, unchanged or fingerprint(ROW))
    return missed_again(ROW._replace(missed_pongs=note), NOW, RULES)


def test_the_first_is_one():
    assert missed_again(ROW, NOW, RULES) == MissedPongs(1, NOW, fingerprint(ROW))


@pytest.mark.parametrize(("seconds_ago", "missed"), [(300, 3), (900, 3), (901, 1), (3600, 1)])
def test_it_goes_on_unless_the_reaper_was_away(seconds_ago, missed):
    assert counted(2, seconds_ago).missed == missed


def test_a_note_from_the_future_is_no_note():
    assert counted(2, -10).missed == 1


def test_any_change_of_the_row_makes_the_count_void():
    assert counted(2, 300, unchanged="another").missed == 1


def test_a_sign_of_life_a_new_time_and_another_id_all_change_the_fingerprint():
    others = [
        {"lastSeenAt": {"N": "1795500001"}},
        {"connectedAt": {"N": "1"}},
        {"connectionId": {"S": "xyz="}},
        {"lastSeenAt": None},
    ]
    prints = {fingerprint(a_row_that_holds(**(ROW.item | change))) for change in others}
    assert len(prints | {fingerprint(ROW)}) == 5


def test_the_order_within_a_map_changes_nothing():
    there = a_row_that_holds(lastSeenAt={"M": {"a": {"S": "1"}, "b": {"S": "2"}}})
    back = a_row_that_holds(lastSeenAt={"M": {"b": {"S": "2"}, "a": {"S": "1"}}})
    assert fingerprint(there) == fingerprint(back)


def test_who_was_heard_of_is_never_forgotten_and_hardly_anybody_else_is_remembered():
    heard_of = BloomFilter(NOW)
    for n in range(10_000):
        heard_of.add(f"heard-{n}")

    assert all(f"heard-{n}" in heard_of for n in range(10_000))
    mistaken = sum(f"silent-{n}" in heard_of for n in range(10_000))
    assert mistaken < 200
