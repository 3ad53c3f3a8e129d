"""From the first bad state to the moment at which all has been well for a while."""

from __future__ import annotations

from typing import NamedTuple

from reaper.core.report.condition import Condition, State

WELL_AFTER_INTERVALS = 1.5
"""So long it has to be well before it counts as over: two sweeps have gone well in a row."""


class Over(NamedTuple):
    """An outage that is over."""

    worst: Condition
    lasted_seconds: float


class Outage:
    """Told of the state again and again; says once when an outage is over."""

    def __init__(self, interval_seconds: float) -> None:
        self._well_after_seconds = WELL_AFTER_INTERVALS * interval_seconds
        self._worst: Condition | None = None
        """None while there is no outage."""
        self._began_at = 0.0
        """Epoch seconds."""

    def note(self, condition: Condition, now: float) -> Over | None:
        """``now`` is in epoch seconds. What is over with this, if anything is."""
        if condition.state in (State.DEGRADED, State.FAILING):
            self._go_on(condition)
            return None
        is_well = now - condition.since >= self._well_after_seconds
        worst = self._worst
        if condition.state is not State.OK or worst is None or not is_well:
            return None
        self._worst = None
        return Over(worst, condition.since - self._began_at)

    def _go_on(self, condition: Condition) -> None:
        if self._worst is None:
            self._worst, self._began_at = condition, condition.since
        elif condition.state is State.FAILING:
            self._worst = condition
