"""Whether the time on the rows is that of the connection: living rows tell."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.evidence.calibration import AGREEING_ROWS, TOLERANCE_SECONDS, Calibration, cure_of
from reaper.core.rows.times import Time
from tests.support.builders import NOW


def learnt(*early: float, has_zone: bool = True) -> Calibration:
    """Of living rows whose times are so much earlier than the gateway's."""
    calibration = Calibration()
    for n, seconds in enumerate(early):
        calibration.learn(f"c{n}", Time(NOW - seconds, "epoch seconds", has_zone), NOW)
    return calibration


def test_three_living_rows_bear_a_time_out():
    assert not learnt(*[0] * (AGREEING_ROWS - 1)).is_calibrated
    assert learnt(*[0] * AGREEING_ROWS).is_calibrated


def test_one_living_row_asked_three_times_is_one():
    calibration = Calibration()
    for _ in range(3):
        calibration.learn("c", Time(NOW, "epoch seconds"), NOW)
    assert not calibration.is_calibrated


def test_one_that_is_earlier_refutes_it_for_good():
    calibration = learnt(0, 0, 0, TOLERANCE_SECONDS + 1, 0, 0, 0)
    assert not calibration.is_calibrated
    assert calibration.refuted_by_seconds == TOLERANCE_SECONDS + 1


def test_one_that_is_later_refutes_nothing_but_says_nothing_of_youth():
    calibration = learnt(0, 0, 0, -3600)
    assert calibration.is_calibrated
    assert calibration.is_doubtful


@pytest.mark.parametrize("seconds", [18_000, -7_200, 10_800 + 17])
def test_an_offset_on_which_they_agree_is_found(seconds):
    offset = learnt(seconds, seconds + 5, seconds - 9).offset
    assert offset is not None
    assert offset.seconds == round(seconds / 900) * 900


def test_rows_that_are_off_by_all_sorts_of_times_have_no_offset():
    assert learnt(10_000, 200_000, 5_000_000).offset is None
    assert learnt(0, 0, 0).offset is None


@pytest.mark.parametrize(
    ("seconds", "has_zone", "configured", "zone", "cure"),
    [
        (18_000, False, 0, UTC, "REAPER_TIME_ZONE=-05:00"),
        (-7_200, False, 0, UTC, "REAPER_TIME_ZONE=+02:00"),
        (-19_800, False, 0, timezone(timedelta(hours=1)), "REAPER_TIME_ZONE=+06:30"),
        (-10_800, True, 0, UTC, "REAPER_CONNECTED_AT_OFFSET_SECONDS=-10800"),
        (-10_800, True, -3600, UTC, "REAPER_CONNECTED_AT_OFFSET_SECONDS=-14400"),
    ],
)
def test_the_cure_names_the_variable_with_its_value(seconds, has_zone, configured, zone, cure):
    offset = learnt(seconds, seconds, seconds, has_zone=has_zone).offset
    assert cure_of(offset, configured, zone, NOW) == cure


@given(st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=30))
def test_no_time_is_believed_that_makes_a_living_row_too_old(early):
    calibration = learnt(*early)
    if max(early) > TOLERANCE_SECONDS:
        assert not calibration.is_calibrated
