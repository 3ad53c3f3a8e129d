"""The schedule of one worker by itself: the whole table, every interval."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from reaper.schedule.clock_watch import Clocks, ClockWatch, Lapse
from reaper.schedule.ports import RETRY_SECONDS, Ended, Overran, Sweeping

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""So often the clocks are compared."""

BREATH_SECONDS = 1.0
"""After a sweep that was too long, the next one waits this long, so that its job has ended."""


class IntervalSchedule:
    """Sweeps the whole table at once, and then every interval.

    APScheduler waits by the wall clock; where that is set, the next sweep is moved along with it.
    """

    cure_at_budget = "raise REAPER_QUOTA_SHARE"

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._is_stopping = False
        self._lapse: Lapse | None = None
        """What kept the running sweep, if it was not the sweep itself."""
        self._stopped = threading.Event()
        self._between_sweeps = threading.Event()
        self._between_sweeps.set()
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)}, timezone=UTC
        )

    def start(self, sweep: Sweeping, on_overrun: Overran) -> None:
        self._overran = on_overrun
        self._job = self._scheduler.add_job(
            self._sweep,
            "interval",
            args=[sweep],
            seconds=self._interval_seconds,
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.add_listener(self._on_overrun, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.start()
        threading.Thread(target=self._watch_clocks, name="clocks", daemon=True).start()

    @property
    def next_sweep_at(self) -> float | None:
        """Epoch seconds."""
        for job in self._scheduler.get_jobs():
            if job.next_run_time is not None:
                return float(job.next_run_time.timestamp())
        return None

    def stop(self, timeout_seconds: float) -> bool:
        self._is_stopping = True
        self._stopped.set()
        self._scheduler.shutdown(wait=False)
        return self._between_sweeps.wait(timeout_seconds)

    def _sweep(self, sweep: Sweeping) -> None:
        self._between_sweeps.clear()
        self._lapse = None
        try:
            if not self._is_stopping:
                self._bring_forward(sweep(None))
        finally:
            self._between_sweeps.set()

    def _bring_forward(self, ended: Ended) -> None:
        """Do not wait a whole interval after a sweep that failed, or that was too long for it."""
        if self._is_stopping:
            return
        if ended.took_seconds > self._interval_seconds:
            wait_seconds = BREATH_SECONDS
        elif not ended.outcome.is_end:
            wait_seconds = min(RETRY_SECONDS, self._interval_seconds)
        else:
            return
        with suppress(JobLookupError):  # a signal has just ended the schedule
            self._job.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=wait_seconds))

    def _watch_clocks(self) -> None:
        watch = ClockWatch(Clocks.now(), LOOK_SECONDS)
        while not self._stopped.wait(LOOK_SECONDS):
            if found := watch.look(Clocks.now()):
                self.on_lapse(*found)

    def on_lapse(self, lapse: Lapse, seconds: float) -> None:
        """Time did not pass as it should: keep the interval all the same."""
        log.warning(
            "time went astray",
            why=lapse.value,
            seconds=round(seconds),
            so="sweeps go on at their interval"
            if lapse is Lapse.STEPPED
            else "sockets may have been silent for as long; the next sweep begins at once",
        )
        if lapse is not Lapse.STEPPED:
            self._lapse = lapse
        with suppress(JobLookupError):
            if lapse is Lapse.STEPPED:
                moved = self._job.next_run_time + timedelta(seconds=seconds)
                self._job.modify(next_run_time=moved)
            elif self._between_sweeps.is_set():
                self._job.modify(next_run_time=datetime.now(UTC))

    def _on_overrun(self, _: JobSubmissionEvent) -> None:
        self._overran(self._lapse.value if self._lapse is not None else None)
