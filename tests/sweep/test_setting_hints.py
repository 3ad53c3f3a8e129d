"""What a sweep tells of settings that do not fit."""

from __future__ import annotations

from datetime import UTC

from reaper.core.report.tally import Tally
from reaper.core.triage import RowKind
from reaper.sweep.setting_hints import Hints


def swept(*, passed_over: int = 0, due: int = 0) -> Tally:
    tally = Tally()
    tally.pass_over(passed_over)
    tally.triaged[RowKind.DUE] = due
    return tally


def hints(*, holds_many: bool) -> Hints:
    return Hints(
        "rooms[]", may_lack_ids=False, holds_many=holds_many, offset_seconds=0, time_zone=UTC
    )


def test_a_table_in_which_nobody_ever_was_is_not_understood():
    why = hints(holds_many=True).tell_of_ids(swept(passed_over=5))
    assert why is not None
    assert str(why).startswith("none of 5 rows holds ids in rooms[]: correct")


def test_rooms_that_everybody_has_left_are_only_empty():
    told = hints(holds_many=True)
    assert told.tell_of_ids(swept(passed_over=4, due=3)) is None
    assert told.tell_of_ids(swept(passed_over=5)) is None


def test_rows_that_all_are_of_other_kinds_are_told_again():
    told = hints(holds_many=False)
    assert told.tell_of_ids(swept(due=3)) is None
    assert "all 5 rows are of other kinds" in str(told.tell_of_ids(swept(passed_over=5)))
