"""What came of a sweep goes to the log, the metric sinks, the history, the state and the alerts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

import structlog

from reaper.core.errors import Fault
from reaper.core.report.condition import Condition, State
from reaper.core.report.outage import Outage
from reaper.core.report.report import summary
from reaper.core.report.swept import Outcome, Swept
from reaper.core.report.troubles import Trouble, trouble_of_fault, troubles_of
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.history import History, PastSweep
from reaper.telemetry.sinks import Sink

log = structlog.get_logger()


class Publisher:
    """Tells everybody who wants to know what came of a sweep."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        alerts: Alerts,
        history: History,
        health: Health,
        ratio_limit: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``ratio_limit`` is in heartbeats per message; 0 is none."""
        self._sinks = sinks
        self._alerts = alerts
        self._history = history
        self._health = health
        self._ratio_limit = ratio_limit or inf
        self._wall_clock = wall_clock
        self._told = health.condition
        self._outage = Outage(health.interval_seconds)

    def publish(self, swept: Swept) -> None:
        """Tell of a sweep that is over, however it ended."""
        now = self._wall_clock()
        _log(swept)
        self._history.add(PastSweep(now, swept))
        troubles = troubles_of(swept, self._history.ratio_of_last_hour(now), self._ratio_limit)
        self._health.sweep_over(troubles, succeeded=_success(swept), took_seconds=swept.seconds)
        for sink in self._sinks:
            sink.publish(swept)
        for trouble in troubles:
            self._alerts.alert(trouble, self._health.condition.state, swept.report)
        if swept.report is not None:
            self._alerts.remember(swept.report, now)

    def publish_fault(self, fault: Exception) -> None:
        """Tell of what went wrong between sweeps."""
        self.publish_trouble(trouble_of_fault(fault, has_broken_off=False))

    def publish_trouble(self, trouble: Trouble) -> None:
        """Tell of what is wrong between sweeps, or while one is running."""
        self._health.troubled(trouble)
        self._alerts.alert(trouble, self._health.condition.state)

    def tell_of_state(self) -> None:
        """Say how the daemon is when that has changed, and once that it is well. Call it often."""
        condition = self._health.condition
        self._tell_of_change(condition)
        over = self._outage.note(condition, self._wall_clock())
        if over is not None:
            was, after_seconds = over.worst.state.value, round(over.lasted_seconds)
            log.info("recovered", was=was, after_seconds=after_seconds)
            self._alerts.recovered(over)

    def _tell_of_change(self, condition: Condition) -> None:
        before, self._told = self._told, condition
        if condition.state is before.state:
            return
        tell = log.info if condition.state is State.OK else log.warning
        tell(
            "state changed",
            state=condition.state.value,
            was=before.state.value,
            why=condition.why,
            next=condition.next,
        )

    def close(self, timeout_seconds: float) -> None:
        """Send what waits to be sent, sinks and alerts within this time together."""
        give_up_at = time.monotonic() + timeout_seconds
        for sink in self._sinks:
            sink.close(max(0.0, give_up_at - time.monotonic()) / 2)
        self._alerts.flush(max(0.0, give_up_at - time.monotonic()))


def _success(swept: Swept) -> bool | None:
    """None of a sweep that was stopped, or is another worker's by now."""
    if swept.is_failure:
        return False
    return True if swept.outcome is Outcome.DONE else None


def _log(swept: Swept) -> None:
    if swept.result is not None:
        report, reasons = swept.result.report, swept.result.details.evicted_by_reason
        log.info("sweep finished", summary=summary(report, reasons), **report.to_dict())
    elif isinstance(swept.fault, Fault):
        trouble = trouble_of_fault(swept.fault, has_broken_off=True)
        log.error("sweep failed", why=trouble.why, cure=trouble.cure)
    else:
        log.error("sweep failed", why=repr(swept.fault), exc_info=swept.fault)
