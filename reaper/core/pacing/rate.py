"""The rate: a token bucket, and an AIMD rate for it. The clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass

SPREAD_FRACTION = 0.5
"""The part of the interval over which ``reaper run`` spreads a sweep's calls.

A row asked first in one sweep and last in the next waits ``1 + SPREAD_FRACTION`` intervals. At
the defaults that is 450 s: within the heartbeat interval of 480 s whatever order a scan takes.
"""

QUESTION_FRACTION = 0.95
"""The part of the interval in which suspects are still asked. What is left of it is for the last
evictions: the next sweep is to begin in time."""

CATCH_UP_SECONDS = 0.01
"""How much lateness of the caller a token bucket makes good."""

SLOWDOWN_FACTOR = 0.5
"""An account-level 429 halves the rate, as TCP does."""

SLOWDOWN_PAUSE_SECONDS = 1.0
"""The 429s of one burst count once: API Gateway's own bucket is filled by the second."""

RECOVERY_SECONDS = 60.0
"""A throttled rate needs this long to climb back from nothing to its ceiling."""

MIN_RATE_RPS = 1.0
"""Never so slow that the recovery cannot be noticed."""


class TokenBucket:
    """Grants ``rate`` tokens a second, with next to no burst.

    A caller that comes late may catch up on the last 10 ms and no more, so no window of a second
    ever grants over 1 % and one token more than the rate. The state is one moment: when the next
    token is ready.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._ready_at = now

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self._rate

    def set_rate(self, rate: float, now: float) -> None:
        """From now on: what is left to wait for the next token becomes shorter or longer too."""
        if self._ready_at > now:
            self._ready_at = now + (self._ready_at - now) * self._rate / rate
        self._rate = rate

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        if self._ready_at > now:
            return False
        self._ready_at = max(self._ready_at, now - CATCH_UP_SECONDS) + 1 / self._rate
        return True

    def seconds_to_next(self, now: float) -> float:
        """How long until there is a token; 0 when there is one."""
        return max(0.0, self._ready_at - now)

    def spend(self, tokens: float, now: float) -> None:
        """Note what has been used already, such as the read units that a page turned out to cost.

        The debt is paid off before the next token is ready.
        """
        self._ready_at = max(self._ready_at, now) + tokens / self._rate


@dataclass(slots=True)
class AIMDRate:
    """Additive increase, multiplicative decrease (AIMD), below a ceiling.

    The quota is shared with the application, which always has the right of way.
    """

    ceiling: float
    """Requests a second that may be used when nobody complains."""
    rate_then: float
    changed_at: float

    @classmethod
    def starting_at(cls, ceiling: float, now: float) -> AIMDRate:
        return cls(ceiling, ceiling, now - SLOWDOWN_PAUSE_SECONDS)

    def set_ceiling(self, ceiling: float) -> None:
        self.ceiling = ceiling

    def rate(self, now: float) -> float:
        """What may be used now, in requests a second."""
        regained = self.ceiling * (now - self.changed_at) / RECOVERY_SECONDS
        return min(self.ceiling, self.rate_then + max(0.0, regained))

    def throttled(self, now: float) -> bool:
        """An account-level 429 came. True if it lowers the rate, False if one just did."""
        if now - self.changed_at < SLOWDOWN_PAUSE_SECONDS:
            return False
        self.rate_then = max(MIN_RATE_RPS, self.rate(now) * SLOWDOWN_FACTOR)
        self.changed_at = now
        return True


def spread_rate(calls: float, window_seconds: float, budget_rps: float) -> float:
    """The steady rate at which so many calls take the whole window, never above the budget."""
    return min(budget_rps, max(MIN_RATE_RPS, calls / window_seconds))
