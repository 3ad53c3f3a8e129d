"""Pacing: how fast to ask, and how many questions to have in flight. The clock is an argument."""

from __future__ import annotations

import math
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

LOWEST_RATE_RPS = 1.0
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
class AdaptiveRate:
    """Additive increase, multiplicative decrease, below a ceiling.

    The quota is shared with the application, which always has the right of way.
    """

    ceiling: float
    """Requests a second that may be used when nobody complains."""
    rate_then: float
    changed_at: float

    @classmethod
    def starting_at(cls, ceiling: float, now: float) -> AdaptiveRate:
        return cls(ceiling, ceiling, now - SLOWDOWN_PAUSE_SECONDS)

    def rate(self, now: float) -> float:
        """What may be used now, in requests a second."""
        regained = self.ceiling * (now - self.changed_at) / RECOVERY_SECONDS
        return min(self.ceiling, self.rate_then + max(0.0, regained))

    def throttled(self, now: float) -> bool:
        """An account-level 429 came. True if it lowers the rate, False if one just did."""
        if now - self.changed_at < SLOWDOWN_PAUSE_SECONDS:
            return False
        self.rate_then = max(LOWEST_RATE_RPS, self.rate(now) * SLOWDOWN_FACTOR)
        self.changed_at = now
        return True


def spread_rate(calls: float, window_seconds: float, budget_rps: float) -> float:
    """The steady rate at which so many calls take the whole window, never above the budget."""
    return min(budget_rps, max(LOWEST_RATE_RPS, calls / window_seconds))


MOST_IN_FLIGHT = 1000
"""So that a gateway that hangs does not eat the file descriptors."""

FEWEST_IN_FLIGHT = 8
"""So many to begin with: too few to make a queue, so that they show the gateway's own latency."""

FIRST_ESTIMATE_AFTER = 64
"""Answers; the first of them still suffer from connections that are being opened."""

TRIAL_SECONDS = 0.5
TRIAL_PAUSE_SECONDS = 5.0
TRIAL_GAIN = 0.5
"""A higher limit is kept if it brings at least half of the answers that the law promises."""


class InFlight:
    """How many requests may be in flight to keep the rate.

    Little's law says ``rate * latency``. But where the rate cannot be reached, since some queue is
    full, the latency is that queue's, and the law would only feed it. So the limit is raised on
    trial, and kept if that brings the answers that it should.
    """

    def __init__(self, now: float, fixed: int | None = None) -> None:
        """``fixed`` is the operator's own limit."""
        self.limit = fixed or FEWEST_IN_FLIGHT
        self._is_fixed = fixed is not None
        self._latency_seconds: float | None = None
        self._answers = 0
        self._is_estimated = False
        self._is_full = False
        self._looked_at = now
        self._before_trial: tuple[int, float] | None = None
        self._next_trial_at = now

    def answered(self, latency_seconds: float) -> None:
        self._answers += 1
        mean = latency_seconds if self._latency_seconds is None else self._latency_seconds
        self._latency_seconds = mean + 0.1 * (latency_seconds - mean)

    def was_full(self) -> None:
        """More would have been sent than the limit let through."""
        self._is_full = True

    def adjust(self, rate_rps: float, now: float) -> None:
        """Look whether the limit serves this rate; to be called often."""
        seconds = now - self._looked_at
        is_first = not self._is_estimated and self._answers >= FIRST_ESTIMATE_AFTER
        if self._is_fixed or not ((is_first and seconds) or seconds >= TRIAL_SECONDS):
            return
        answers_rps = self._answers / seconds
        needed = self._needed(rate_rps)
        if not self._is_full:
            self.limit = min(self.limit, needed)
            self._before_trial = None
        elif self._before_trial is not None:
            self._judge_trial(answers_rps, rate_rps, now)
        elif needed > self.limit and now >= self._next_trial_at:
            self._before_trial = self.limit, answers_rps
            self.limit = needed if is_first else min(2 * self.limit, needed)
        self._is_estimated |= is_first
        self._looked_at, self._answers, self._is_full = now, 0, False

    def _judge_trial(self, answers_rps: float, rate_rps: float, now: float) -> None:
        limit, rps = self._before_trial or (self.limit, 0.0)
        self._before_trial = None
        promised_rps = min(rate_rps, rps * self.limit / limit)
        if answers_rps < rps + TRIAL_GAIN * (promised_rps - rps):
            self.limit = limit
            self._next_trial_at = now + TRIAL_PAUSE_SECONDS

    def _needed(self, rate_rps: float) -> int:
        """Twice the mean, because answers do not come evenly."""
        needed = math.ceil(2 * rate_rps * (self._latency_seconds or 0.0))
        return min(MOST_IN_FLIGHT, max(FEWEST_IN_FLIGHT, needed))
