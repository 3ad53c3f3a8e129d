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

from reaper.schedule.ports import RETRY_SECONDS, Ended, Sweeping, tell_of_overrun
from reaper.telemetry.alerts import Alerts

log = structlog.get_logger()

BREATH_SECONDS = 1.0
"""After a sweep that was too long, the next one waits this long, so that its job has ended."""


class IntervalSchedule:
    """Sweeps the whole table at once, and then every interval."""

    def __init__(self, interval_seconds: float, alerts: Alerts) -> None:
        self._interval_seconds = interval_seconds
        self._alerts = alerts
        self._is_stopping = False
        self._between_sweeps = threading.Event()
        self._between_sweeps.set()
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)}, timezone=UTC
        )

    def start(self, sweep: Sweeping) -> None:
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

    def stop(self, timeout_seconds: float) -> bool:
        self._is_stopping = True
        self._scheduler.shutdown(wait=False)
        return self._between_sweeps.wait(timeout_seconds)

    def _sweep(self, sweep: Sweeping) -> None:
        if self._is_stopping:
            return
        self._between_sweeps.clear()
        try:
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

    def _on_overrun(self, _: JobSubmissionEvent) -> None:
        tell_of_overrun(self._alerts, self._interval_seconds, "REAPER_QUOTA_SHARE")
