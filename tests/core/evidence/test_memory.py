"""What a process remembers, and whose age can be known by it."""

from __future__ import annotations

from reaper.core.evidence.calibration import AGREEING_ROWS
from reaper.core.evidence.memory import Memory
from reaper.core.rows.times import Time
from tests.support.builders import NOW


def calibrated() -> Memory:
    memory = Memory()
    for n in range(AGREEING_ROWS):
        memory.calibration.learn(f"c{n}", Time(NOW, "epoch seconds"), NOW)
        memory.calibration.learn_clock(NOW, 1000.0)
    return memory


def test_rows_of_a_calibrated_time_tell_the_moment_at_which_their_connection_was_opened():
    assert calibrated().born_at(NOW - 300) == 700.0


def test_where_times_are_not_calibrated_no_age_is_known():
    assert Memory().born_at(NOW - 900) is None


def test_where_rows_cannot_tell_no_age_is_known():
    assert calibrated().born_at(None) is None
