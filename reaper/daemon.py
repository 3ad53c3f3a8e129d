"""The long-running process: sweeps that never end it, signals, and word to systemd."""

from __future__ import annotations

import os
import threading
import time
from typing import NoReturn

import structlog

from reaper.aws.errors import TableError
from reaper.core.portion import Portion
from reaper.core.report import Progress, SweepResult
from reaper.faults import publish, publish_fault
from reaper.rounds import Ended, Outcome, Rounds
from reaper.signals import is_stop, wait_for_signal
from reaper.telemetry import systemd
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.publish import Publisher
from reaper.worker import Worker

log = structlog.get_logger()

STOP_SECONDS = 7.5
"""How long a running sweep gets after a signal; with what is then flushed, within the 10 s."""

FLUSH_SECONDS = 2.0
TICK_SECONDS = 10.0


def leave_sweep_behind() -> NoReturn:
    """Exit although the sweep has not ended. Nothing is lost: the table tells the rest."""
    log.warning("the sweep did not end in time and is left; the table tells the rest")
    os._exit(0)


class Daemon:
    """Sweeps whenever its rounds call for it, until a signal comes."""

    def __init__(
        self,
        worker: Worker,
        publisher: Publisher,
        alerts: Alerts,
        health: Health,
        rounds: Rounds,
    ) -> None:
        self._worker = worker
        self._publisher = publisher
        self._alerts = alerts
        self._health = health
        self._rounds = rounds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Returns after a signal, when the running sweep has drained or its time was over."""
        self._rounds.start(self._sweep)
        systemd.notify("READY=1")
        received = self._wait_for_signal()
        log.info("stopping", signal=received)
        systemd.notify("STOPPING=1")
        self._stopping.set()
        drained = self._rounds.stop(STOP_SECONDS)
        self._publisher.close(FLUSH_SECONDS)
        if not drained:
            leave_sweep_behind()

    def _wait_for_signal(self) -> str:
        tick = systemd.watchdog_seconds() or TICK_SECONDS
        while not is_stop(received := wait_for_signal(tick)):
            if received is not None:
                log.info("SIGHUP: files that were moved are opened anew before the next line")
            if self._health.is_stuck:
                log.error("the sweep is stuck: systemd's watchdog hears no more of it")
            else:
                systemd.notify("WATCHDOG=1")
        assert received is not None, "it is one that stops"
        return received

    def _sweep(self, portion: Portion | None) -> Ended:
        """One sweep. Whatever happens, the rounds go on."""
        self._health.sweep_moves()
        checkin, started, outcome = None, time.monotonic(), Outcome.FAILED
        try:
            if portion is None:
                checkin = self._alerts.sweep_started()
            result = self._worker.sweep(
                portion,
                spread=True,
                is_stopping=self._stopping.is_set,
                on_progress=self._on_progress,
            )
            outcome = self._outcome(portion, result)
            publish(self._publisher, result)
        except TableError as error:
            log.error("sweep failed", why=str(error))
            publish_fault(self._publisher, error)
        except Exception as error:
            log.exception("sweep failed", why=repr(error))
            publish_fault(self._publisher, error)
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
        """Where workers sweep together, one of them checks in for all: who had segment 0."""
        if portion is None:
            self._alerts.sweep_ended(checkin, took_seconds, ok=ok)
        elif 0 in portion.segments:
            self._alerts.check_in(took_seconds, ok=ok)

    def _on_progress(self, progress: Progress) -> None:
        self._health.sweep_moves(progress)
