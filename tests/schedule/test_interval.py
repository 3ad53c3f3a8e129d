"""When a worker by itself sweeps again."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from reaper.schedule.interval import BREATH_SECONDS, IntervalSchedule
from reaper.schedule.ports import RETRY_SECONDS, Ended, Outcome


class Job:
    next_run_time: datetime | None = None

    def modify(self, next_run_time: datetime) -> None:
        self.next_run_time = next_run_time


@pytest.mark.parametrize(
    ("interval", "took", "outcome", "again_in"),
    [
        (300, 100, Outcome.DONE, None),
        (300, 100, Outcome.CUT_SHORT, None),
        (300, 301, Outcome.DONE, BREATH_SECONDS),
        (300, 301, Outcome.FAILED, BREATH_SECONDS),
        (300, 1, Outcome.FAILED, RETRY_SECONDS),
        (5, 1, Outcome.FAILED, 5),
    ],
)
def test_a_sweep_that_failed_or_was_too_long_costs_no_whole_interval(
    interval, took, outcome, again_in
):
    schedule = IntervalSchedule(interval, SimpleNamespace())
    schedule._job = Job()
    now = datetime.now(UTC)
    schedule._sweep(lambda portion: Ended(outcome, took))

    if again_in is None:
        assert schedule._job.next_run_time is None
    else:
        assert (schedule._job.next_run_time - now).total_seconds() == pytest.approx(
            again_in, abs=0.5
        )


def test_told_to_stop_it_does_not_sweep_again():
    schedule = IntervalSchedule(300, SimpleNamespace())
    schedule._job = Job()

    def sweep(portion) -> Ended:
        schedule._is_stopping = True
        return Ended(Outcome.FAILED, 1000)

    schedule._sweep(sweep)
    schedule._sweep(lambda portion: pytest.fail("it swept again"))

    assert schedule._job.next_run_time is None
