"""What a process remembers, and whose age can be known by it."""

from __future__ import annotations

from reaper.core.evidence.calibration import AGREEING_ROWS
from reaper.core.evidence.memory import Memory
from reaper.core.rows.times import Time
from tests.support.builders import NOW, a_row


def calibrated() -> Memory:
    memory = Memory()
    for n in range(AGREEING_ROWS):
        memory.calibration.learn(f"c{n}", Time(NOW, "epoch seconds"), NOW)
        memory.calibration.learn_clock(NOW, 1000.0)
    return memory


def test_a_connection_is_as_old_as_its_youngest_row():
    rows = [a_row("c", age=900), a_row("c", age=300), a_row("c", age=600)]
    assert calibrated().born_at(rows) == 700.0


def test_where_times_are_not_calibrated_no_age_is_known():
    assert Memory().born_at([a_row("c", age=900)]) is None


def test_a_row_that_is_keyed_by_something_else_leaves_the_age_unknown():
    """A user who comes back may have put a new id beside an old time."""
    by_user = a_row("c", age=900)._replace(item={"connectionId": {"S": "user-7"}})
    assert calibrated().born_at([a_row("c", age=900), by_user]) is None


def test_one_row_without_a_time_leaves_the_age_unknown():
    assert calibrated().born_at([a_row("c", age=900), a_row("c")]) is None
