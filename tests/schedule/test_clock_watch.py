"""A clock that was set, a machine that slept and a process that was stopped are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.schedule.clock_watch import Clocks, ClockWatch, Lapse

START = Clocks(wall=1_800_000_000.0, steady=5000.0, boot=90_000.0)


def after(wall: float, steady: float, boot: float) -> Clocks:
    return Clocks(START.wall + wall, START.steady + steady, START.boot + boot)


@pytest.mark.parametrize(
    ("now", "lapse", "seconds"),
    [
        (after(1, 1, 1), None, 0),
        (after(4, 4, 4), None, 0),
        (after(1.5, 1, 1), None, 0),
        (after(1 - 7200, 1, 1), Lapse.STEPPED, -7200),
        (after(1 + 7200, 1, 1), Lapse.STEPPED, 7200),
        (after(3601, 1, 3601), Lapse.SUSPENDED, 3600),
        (after(601, 601, 601), Lapse.STOPPED, 600),
    ],
)
def test_each_is_told_by_its_name(now, lapse, seconds):
    found = ClockWatch(START, look_seconds=1).look(now)
    assert found == (None if lapse is None else (lapse, pytest.approx(seconds)))


@given(looks=st.lists(st.tuples(st.floats(0, 9), st.floats(-1.9, 1.9)), max_size=50))
def test_clocks_that_drift_alarm_nobody(looks):
    watch, wall, steady, boot = ClockWatch(START, 1), *START
    for passed, drift in looks:
        wall, steady, boot = wall + passed + drift, steady + passed, boot + passed
        assert watch.look(Clocks(wall, steady, boot)) is None
