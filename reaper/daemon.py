"""The long-running loop: a schedule, signals, and word to systemd."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from reaper.aws.errors import AccessDenied, TableError, TableUnfit
from reaper.core.alerts import Kind
from reaper.core.report import Progress, Report, SweepResult
from reaper.signals import wait_for_stop_signal
from reaper.telemetry import systemd
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.publish import Publisher
from reaper.worker import Worker

log = structlog.get_logger()

STOP_SECONDS = 7.5
"""How long a running sweep gets after a signal; with what is then flushed, within the 10 s."""

RETRY_SECONDS = 15.0
"""After a sweep that failed, the next one waits no longer than this."""

BREATH_SECONDS = 1.0
"""After a sweep that was too long, the next one waits this long, so that its job has ended."""

FLUSH_SECONDS = 2.0
TICK_SECONDS = 10.0


def publish(publisher: Publisher, result: SweepResult) -> None:
    """Tell of a sweep that reached its end, and of what failed in it."""
    publisher.publish(result)
    if result.fault is not None:
        publish_fault(publisher, result.fault, result.report)


def publish_fault(publisher: Publisher, fault: Exception, report: Report | None = None) -> None:
    """Tell of a fault; without a report the whole sweep broke off."""
    kind = Kind.SWEEP_FAILED
    if isinstance(fault, AccessDenied):
        kind = Kind.ACCESS_DENIED
    elif isinstance(fault, TableError) and report is None and not isinstance(fault, TableUnfit):
        kind = Kind.TABLE_UNREACHABLE
    publisher.publish_fault(kind, fault, report)


def leave_sweep_behind() -> NoReturn:
    """Exit although the sweep has not ended. Nothing is lost: the table tells the rest."""
    log.warning("the sweep did not end in time and is left; the table tells the rest")
    os._exit(0)


class Daemon:
    """Sweeps at once, and then every interval, until a signal comes."""

    def __init__(
        self,
        worker: Worker,
        publisher: Publisher,
        alerts: Alerts,
        health: Health,
        interval_seconds: float,
    ) -> None:
        self._worker = worker
        self._publisher = publisher
        self._alerts = alerts
        self._health = health
        self._interval_seconds = interval_seconds
        self._stopping = threading.Event()
        self._between_sweeps = threading.Event()
        self._between_sweeps.set()

    def run(self) -> None:
        """Returns after a signal, when the running sweep has drained or its time was over."""
        scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
        self._job = scheduler.add_job(
            self._sweep,
            "interval",
            seconds=self._interval_seconds,
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        scheduler.add_listener(self._on_overrun, EVENT_JOB_MAX_INSTANCES)
        scheduler.start()
        systemd.notify("READY=1")
        received = self._wait_for_signal()
        log.info("stopping", signal=received)
        systemd.notify("STOPPING=1")
        self._stopping.set()
        scheduler.shutdown(wait=False)
        drained = self._between_sweeps.wait(STOP_SECONDS)
        self._publisher.close(FLUSH_SECONDS)
        if not drained:
            leave_sweep_behind()

    def _wait_for_signal(self) -> str:
        tick = systemd.watchdog_seconds() or TICK_SECONDS
        while (received := wait_for_stop_signal(tick)) is None:
            if self._health.is_stuck:
                log.error("the sweep is stuck: systemd's watchdog hears no more of it")
            else:
                systemd.notify("WATCHDOG=1")
        return received

    def _sweep(self) -> None:
        """One scheduled sweep. Whatever happens, the schedule goes on."""
        if self._stopping.is_set():
            return
        self._between_sweeps.clear()
        self._health.sweep_moves()
        checkin, started, finished = None, time.monotonic(), False
        try:
            checkin = self._alerts.sweep_started()
            result = self._worker.sweep(
                spread=True, is_stopping=self._stopping.is_set, on_progress=self._on_progress
            )
            finished = not self._stopping.is_set()
            publish(self._publisher, result)
        except TableError as error:
            log.error("sweep failed", why=str(error))
            publish_fault(self._publisher, error)
        except Exception as error:
            log.exception("sweep failed", why=repr(error))
            publish_fault(self._publisher, error)
        finally:
            took_seconds = time.monotonic() - started
            self._health.sweep_over(finished=finished)
            self._between_sweeps.set()
            self._bring_forward(took_seconds, finished=finished)
            self._alerts.sweep_ended(checkin, took_seconds, ok=finished)

    def _bring_forward(self, took_seconds: float, *, finished: bool) -> None:
        """Do not wait a whole interval after a sweep that failed, or that was too long for it."""
        if self._stopping.is_set():
            return
        if took_seconds > self._interval_seconds:
            wait_seconds = BREATH_SECONDS
        elif not finished:
            wait_seconds = min(RETRY_SECONDS, self._interval_seconds)
        else:
            return
        with suppress(JobLookupError):  # a signal has just ended the schedule
            self._job.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=wait_seconds))

    def _on_progress(self, progress: Progress) -> None:
        self._health.sweep_moves(progress)

    def _on_overrun(self, _: JobSubmissionEvent) -> None:
        why = (
            f"a sweep takes longer than REAPER_SWEEP_INTERVAL_SECONDS={self._interval_seconds:g}:"
            " raise it, or REAPER_QUOTA_SHARE"
        )
        log.warning("sweep overrun", why=why)
        self._alerts.alert(Kind.SWEEP_OVERRUN, why)
