"""What came of a sweep goes to the log, the metric sinks, the history and the alerts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

import structlog

from reaper.core.errors import AccessDenied, TableError, TableUnfit
from reaper.core.report.alerts import Kind, alerts
from reaper.core.report.report import Report, SweepResult
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.history import Fault, History, PastSweep
from reaper.telemetry.sinks import Sink

log = structlog.get_logger()


class Publisher:
    """Tells everybody who wants to know what came of a sweep."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        alerts: Alerts,
        history: History,
        ratio_limit: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``ratio_limit`` is in heartbeats per message; 0 is none."""
        self._sinks = sinks
        self._alerts = alerts
        self._history = history
        self._ratio_limit = ratio_limit or inf
        self._wall_clock = wall_clock

    def publish(self, result: SweepResult) -> None:
        """Tell of a sweep that reached its end, and of what failed in it."""
        report, details, now = result.report, result.details, self._wall_clock()
        self._history.add(PastSweep(now, report, details))
        for sink in self._sinks:
            sink.publish(result)
        log.info("sweep finished", **report.to_dict())
        ratio = self._history.ratio_of_last_hour(now)
        for kind, why in alerts(report, details, ratio, self._ratio_limit):
            self._alerts.alert(kind, why, report)
        self._alerts.remember(report, now)
        if result.fault is not None:
            self.publish_fault(result.fault, report)

    def publish_fault(self, fault: Exception, report: Report | None = None) -> None:
        """Tell of a sweep that broke off, or of what failed in it; then there is a report."""
        why = _in_words(fault)
        self._history.note_fault(Fault(self._wall_clock(), why))
        self._alerts.alert(_kind_of(fault, report), why, report)

    def close(self, timeout_seconds: float) -> None:
        """Send what waits to be sent, sinks and alerts within this time together."""
        give_up_at = time.monotonic() + timeout_seconds
        for sink in self._sinks:
            sink.close(max(0.0, give_up_at - time.monotonic()) / 2)
        self._alerts.flush(max(0.0, give_up_at - time.monotonic()))


def _kind_of(fault: Exception, report: Report | None) -> Kind:
    if isinstance(fault, AccessDenied):
        return Kind.ACCESS_DENIED
    if isinstance(fault, TableError) and report is None and not isinstance(fault, TableUnfit):
        return Kind.TABLE_UNREACHABLE
    return Kind.SWEEP_FAILED


def _in_words(fault: Exception) -> str:
    """Our own faults are worded for people; another's text may hold anything, and is in the log."""
    is_worded = type(fault).__module__.startswith("reaper.") or isinstance(fault, OSError)
    return str(fault) if is_worded else f"{type(fault).__name__}, which the log tells more of"
