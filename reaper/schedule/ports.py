"""What a schedule is: it calls for sweeps, and is told how each ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import structlog

from reaper.core.portion import Portion
from reaper.core.report.alerts import Kind
from reaper.telemetry.alerts import Alerts

log = structlog.get_logger()

RETRY_SECONDS = 15.0
"""After a sweep that failed, the next one waits no longer than this."""


class Outcome(Enum):
    """How a sweep ended."""

    DONE = "done"
    """Every row got its turn, whatever came of it."""
    CUT_SHORT = "cut short"
    """No answer told anything."""
    FAILED = "failed"
    """It broke off."""
    STOPPED = "stopped"
    """A signal came."""
    LOST = "lost"
    """Its portion may be another worker's by now."""

    @property
    def is_end(self) -> bool:
        """Whether it reached its end."""
        return self in (Outcome.DONE, Outcome.CUT_SHORT)


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome
    took_seconds: float


Sweeping = Callable[[Portion | None], Ended]
"""Sweeps a portion, or the whole table. Raises nothing."""


class Schedule(Protocol):
    """Calls for sweeps, one at a time."""

    def start(self, sweep: Sweeping) -> None:
        """Call for them from now on, on a thread of its own."""

    def stop(self, timeout_seconds: float) -> bool:
        """Call for no more. Whether the running one ended within that time."""


def tell_of_overrun(alerts: Alerts, interval_seconds: float, cure: str) -> None:
    why = (
        f"a sweep takes longer than REAPER_SWEEP_INTERVAL_SECONDS={interval_seconds:g}:"
        f" raise it, or {cure}"
    )
    log.warning("sweep overrun", why=why)
    alerts.alert(Kind.SWEEP_OVERRUN, why)
