"""Whether the daemon is healthy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from reaper.core.report.report import Progress

INTERVALS_WITHOUT_A_SWEEP = 3

STUCK_AFTER_SECONDS = 60.0
"""A running sweep that has not moved for so long is stuck: its loop turns ten times a second."""


class Health:
    """Remembers when sweeps moved and finished. Times are of the monotonic clock."""

    def __init__(
        self, interval_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._last_finished = clock()
        self._last_moved: float | None = None
        self.progress: Progress | None = None
        """How far the running sweep has come; None between sweeps, and at its very start."""

    def sweep_moves(self, progress: Progress | None = None) -> None:
        """A sweep has begun, or come so far."""
        self._last_moved = self._clock()
        self.progress = progress

    def sweep_over(self, *, finished: bool) -> None:
        """``finished``: it reached its end, whatever it found; False when it failed."""
        self._last_moved = self.progress = None
        if finished:
            self._last_finished = self._clock()

    def nothing_to_do(self) -> None:
        """All is well, and there is no part of the table that nobody else sweeps."""
        self._last_finished = self._clock()

    @property
    def is_stuck(self) -> bool:
        """Whether a sweep hangs, which only a restart can end."""
        moved = self._last_moved
        return moved is not None and self._clock() - moved > STUCK_AFTER_SECONDS

    @property
    def is_healthy(self) -> bool:
        """Whether a sweep has finished within the last three intervals."""
        allowed = INTERVALS_WITHOUT_A_SWEEP * self._interval_seconds
        return self._clock() - self._last_finished <= allowed and not self.is_stuck

    def to_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.is_healthy,
            "seconds_since_last_sweep": round(self._clock() - self._last_finished, 1),
        }
