"""The long-running process: sweeps that never end it, signals, and word to systemd."""

from __future__ import annotations

import threading
import time

import structlog

from reaper.core.portion import Portion
from reaper.core.report.overrun import overrun
from reaper.core.report.report import Progress, SweepResult
from reaper.core.report.swept import Outcome, Swept
from reaper.daemon import systemd
from reaper.daemon.shutdown import FLUSH_SECONDS, STOP_SECONDS, abandon_sweep, end_in_time
from reaper.daemon.signals import is_stop, wait_for_signal
from reaper.schedule.ports import Ended, Schedule
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
        checkins: Alerts,
        health: Health,
        schedule: Schedule,
        server: HttpServer | None,
    ) -> None:
        self._worker = worker
        self._publisher = publisher
        self._checkins = checkins
        self._health = health
        self._schedule = schedule
        self._server = server
        self._stopping = threading.Event()
        self._began_at = time.monotonic()
        self._progress = Progress()
        """Of the running sweep, or the last one."""

    def run(self) -> None:
        """Returns after a signal, when the running sweep has drained.

        Where that takes too long the process exits.
        """
        self._schedule.start(self._sweep, self._overran)
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
            self._publisher.tell_of_state()
            if self._health.is_stuck:
                log.error("sweep stuck", so="systemd's watchdog is not notified any more")
            else:
                systemd.notify("WATCHDOG=1")
        assert received is not None, "it is one that stops"
        return received

    def _sweep(self, portion: Portion | None) -> Ended:
        """One sweep. Whatever happens, the schedule goes on."""
        self._began_at, self._progress = time.monotonic(), Progress()
        self._health.sweep_moves()
        checkin = self._checkins.sweep_started() if portion is None else None
        swept = self._try_to_sweep(portion)
        try:
            self._publisher.publish(swept)
            self._publisher.tell_of_state()
        except Exception as error:
            log.exception("sweep not told of", why=repr(error))
        self._check_in(checkin, portion, swept)
        return Ended(swept.outcome, swept.seconds)

    def _try_to_sweep(self, portion: Portion | None) -> Swept:
        """Whatever goes wrong is what came of it."""
        result, fault = None, None
        try:
            result = self._worker.sweep(
                portion,
                spread=True,
                is_stopping=self._stopping.is_set,
                on_progress=self._note_progress,
            )
            fault = result.fault
        except Exception as error:  # noqa: BLE001 - it is logged with its traceback when told of
            fault = error
        seconds = time.monotonic() - self._began_at
        return Swept(self._outcome(portion, result), seconds, result, fault)

    def _outcome(self, portion: Portion | None, result: SweepResult | None) -> Outcome:
        if result is None:
            return Outcome.FAILED
        if self._stopping.is_set():
            return Outcome.STOPPED
        if portion is not None and portion.is_lost:
            return Outcome.LOST
        return Outcome.DONE if result.report.complete else Outcome.CUT_SHORT

    def _note_progress(self, progress: Progress) -> None:
        self._progress = progress
        self._health.sweep_moves(progress)

    def _overran(self, paused: str | None) -> None:
        """A sweep takes longer than its interval. Say why, by how far it has come."""
        trouble = overrun(
            self._progress,
            time.monotonic() - self._began_at,
            self._worker.interval_seconds,
            self._worker.budget_rps,
            self._schedule.cure_at_budget,
            paused,
        )
        log.warning("sweep overrun", why=trouble.why, cure=trouble.cure)
        self._publisher.publish_trouble(trouble)

    def _check_in(self, checkin: str | None, portion: Portion | None, swept: Swept) -> None:
        """Where workers share sweeps, one of them checks in for all: who had segment 0.

        A stop is no failure: whoever stops the service knows of it.
        """
        is_ok = not swept.is_failure and swept.outcome is not Outcome.LOST
        if portion is None:
            self._checkins.sweep_ended(checkin, swept.seconds, ok=is_ok)
        elif 0 in portion.segments:
            self._checkins.check_in(swept.seconds, ok=is_ok)
