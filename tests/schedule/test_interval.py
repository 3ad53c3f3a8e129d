"""When a worker by itself sweeps again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from reaper.core.report.swept import Outcome
from reaper.schedule.clock_watch import Lapse
from reaper.schedule.interval import BREATH_SECONDS, IntervalSchedule
from reaper.schedule.ports import RETRY_SECONDS, Ended
from tests.support.waiting import eventually


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
    schedule = IntervalSchedule(interval)
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
    schedule = IntervalSchedule(300)
    schedule._job = Job()

    def sweep(portion) -> Ended:
        schedule._is_stopping = True
        return Ended(Outcome.FAILED, 1000)

    schedule._sweep(sweep)
    schedule._sweep(lambda portion: pytest.fail("it swept again"))

    assert schedule._job.next_run_time is None


class FakeDatetime(datetime):
    """APScheduler's idea of the time, which a test may set."""

    offset = timedelta(0)

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + cls.offset


@pytest.fixture
def wall_clock(monkeypatch):
    monkeypatch.setattr(FakeDatetime, "offset", timedelta(0))
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", FakeDatetime)
    monkeypatch.setattr("reaper.schedule.interval.datetime", FakeDatetime)
    return FakeDatetime


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_wall_clock_that_is_set_changes_no_interval(wall_clock, seconds):
    """APScheduler itself would sweep again in two hours, or now and not in the next two."""
    schedule, swept_at = IntervalSchedule(0.5), []
    schedule.start(lambda _: swept_at.append(time.monotonic()) or Ended(Outcome.DONE, 0.0), print)
    try:
        eventually(lambda: len(swept_at) >= 2)
        wall_clock.offset = timedelta(seconds=seconds)
        schedule.on_lapse(Lapse.STEPPED, seconds)
        before = len(swept_at)
        time.sleep(1.6)
    finally:
        schedule.stop(5)
    assert 2 <= len(swept_at) - before <= 4


def test_after_a_suspended_machine_has_woken_up_the_next_sweep_begins_at_once():
    schedule, swept_at = IntervalSchedule(300), []
    schedule.start(lambda _: swept_at.append(time.monotonic()) or Ended(Outcome.DONE, 0.0), print)
    try:
        eventually(lambda: len(swept_at) == 1)
        schedule.on_lapse(Lapse.SUSPENDED, 3600)
        eventually(lambda: len(swept_at) == 2)
    finally:
        schedule.stop(5)


@pytest.mark.parametrize(
    ("lapse", "told"), [(None, None), (Lapse.STOPPED, "the process was stopped")]
)
def test_an_overrun_is_told_with_what_stopped_the_process(lapse, told):
    heard = []
    schedule = IntervalSchedule(300)
    schedule._job = Job()
    schedule._overran = heard.append

    def sweep(_) -> Ended:
        if lapse is not None:
            schedule.on_lapse(lapse, 400)
        schedule._on_overrun(None)
        return Ended(Outcome.DONE, 1)

    schedule._sweep(sweep)
    assert heard == [told]
