"""The long-running process: sweeps that never end it, signals, and word to systemd."""

from __future__ import annotations

import threading
import time

import structlog

from reaper.core.errors import TableError
from reaper.core.portion import Portion
from reaper.core.report.report import SweepResult
from reaper.daemon import systemd
from reaper.daemon.shutdown import FLUSH_SECONDS, STOP_SECONDS, abandon_sweep, end_in_time
from reaper.daemon.signals import is_stop, wait_for_signal
from reaper.schedule.ports import Ended, Outcome, Schedule
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.publish import Publisher
from reaper.telemetry.web.server import HttpServer
from reaper.worker import Worker

log = structlog.get_logger()

TICK_SECONDS = 10.0


class Daemon:
    """Sweeps whenever its schedule calls for it, until a signal comes."""

    def __init__(
        self,
        worker: Worker,
        publisher: Publisher,
        alerts: Alerts,
        health: Health,
        schedule: Schedule,
        server: HttpServer | None,
    ) -> None:
        self._worker = worker
        self._publisher = publisher
        self._alerts = alerts
        self._health = health
        self._schedule = schedule
        self._server = server
        self._stopping = threading.Event()

    def run(self) -> None:
        """Returns after a signal, when the running sweep has drained.

        Where that takes too long the process exits.
        """
        self._schedule.start(self._sweep)
        systemd.notify("READY=1")
        received = self._wait_for_signal()
        end_in_time()
        log.info("stopping", signal=received)
        systemd.notify("STOPPING=1")
        self._stopping.set()
        drained = self._schedule.stop(STOP_SECONDS)
        self._publisher.close(FLUSH_SECONDS)
        if not drained:
            abandon_sweep()
        if self._server is not None:
            self._server.close()

    def _wait_for_signal(self) -> str:
        tick = systemd.watchdog_seconds() or TICK_SECONDS
        while not is_stop(received := wait_for_signal(tick)):
            if received is not None:
                log.info("SIGHUP", so="files that were moved are opened anew before the next line")
            if self._health.is_stuck:
                log.error("sweep stuck", so="systemd's watchdog is not notified any more")
            else:
                systemd.notify("WATCHDOG=1")
        assert received is not None, "it is one that stops"
        return received

    def _sweep(self, portion: Portion | None) -> Ended:
        """One sweep. Whatever happens, the schedule goes on."""
        self._health.sweep_moves()
        checkin, started, outcome = None, time.monotonic(), Outcome.FAILED
        try:
            if portion is None:
                checkin = self._alerts.sweep_started()
            result = self._worker.sweep(
                portion,
                spread=True,
                is_stopping=self._stopping.is_set,
                on_progress=self._health.sweep_moves,
            )
            outcome = self._outcome(portion, result)
            self._publisher.publish(result)
        except TableError as error:
            log.error("sweep failed", why=str(error))
            self._publisher.publish_fault(error)
        except Exception as error:
            log.exception("sweep failed", why=repr(error))
            self._publisher.publish_fault(error)
        finally:
            took_seconds = time.monotonic() - started
            self._health.sweep_over(finished=outcome.is_end)
            self._check_in(checkin, portion, took_seconds, ok=outcome.is_end)
        return Ended(outcome, took_seconds)

    def _outcome(self, portion: Portion | None, result: SweepResult) -> Outcome:
        if self._stopping.is_set():
            return Outcome.STOPPED
        if portion is not None and portion.is_lost:
            return Outcome.LOST
        return Outcome.DONE if result.report.complete else Outcome.CUT_SHORT

    def _check_in(
        self, checkin: str | None, portion: Portion | None, took_seconds: float, *, ok: bool
    ) -> None:
        """Where workers share sweeps, one of them checks in for all: who had segment 0."""
        if portion is None:
            self._alerts.sweep_ended(checkin, took_seconds, ok=ok)
        elif 0 in portion.segments:
            self._alerts.check_in(took_seconds, ok=ok)
