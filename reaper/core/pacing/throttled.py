"""How many calls at once a function bears that others need too, learned from its throttling."""

from __future__ import annotations

FIRST_PAUSE_SECONDS = 0.5
MAX_THROTTLED_IN_A_ROW = 5
"""Pauses of 0.5, 1, 2, 4 s between them: Lambda frees a place when some invocation ends."""


class ThrottledConcurrency:
    """AIMD: half as many calls at once after one that was throttled, slowly more after others.

    So whoever else calls the function finds a place before long. The clock is an argument.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._throttled_in_a_row = 0
        self._paused_until = 0.0

    def begin(self) -> None:
        """Something else is to be done: try once more, as many at once as were borne last."""
        self._throttled_in_a_row = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether every place has been taken for too long."""
        return self._throttled_in_a_row >= MAX_THROTTLED_IN_A_ROW

    @property
    def limit(self) -> int:
        """Calls that may be under way at once."""
        return int(self._limit)

    def seconds_to_next(self, now: float) -> float:
        """How long no call is to be begun."""
        return max(0.0, self._paused_until - now)

    def note_success(self) -> None:
        self._throttled_in_a_row = 0
        self._limit = min(self._maximum, self._limit + 1 / self._limit)

    def note_throttled(self, now: float) -> None:
        """Those that were under way together count once."""
        if now < self._paused_until:
            return
        self._limit = max(1.0, self._limit / 2)
        self._paused_until = now + FIRST_PAUSE_SECONDS * 2.0**self._throttled_in_a_row
        self._throttled_in_a_row += 1
