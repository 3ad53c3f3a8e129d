"""What a schedule is: it calls for sweeps, and is told how each ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reaper.core.portion import Portion
from reaper.core.report.swept import Outcome

RETRY_SECONDS = 15.0
"""After a sweep that failed, the next one waits no longer than this."""


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome
    took_seconds: float


Sweeping = Callable[[Portion | None], Ended]
"""Sweeps a portion, or the whole table. Raises nothing."""


Overran = Callable[[str | None], None]
"""Told of a sweep that takes longer than its interval, and what stopped it, if anything did."""


class Schedule(Protocol):
    """Calls for sweeps, one at a time."""

    cure_at_budget: str
    """What gives a sweep more requests a second, as an order."""

    def start(self, sweep: Sweeping, on_overrun: Overran) -> None:
        """Call for them from now on, on a thread of its own."""

    @property
    def next_sweep_at(self) -> float | None:
        """Epoch seconds; None while that depends on others."""

    def stop(self, timeout_seconds: float) -> bool:
        """Call for no more. Whether the running one ended within that time."""
