"""The concurrency limit: how many requests to have in flight. The clock is an argument."""

from __future__ import annotations

import math

MAX_IN_FLIGHT = 1000
"""So that a gateway that hangs does not eat the file descriptors."""

MIN_IN_FLIGHT = 8
"""So many to begin with: too few to make a queue, so that they show the gateway's own latency."""

FIRST_ESTIMATE_AFTER = 64
"""Answers; the first of them still suffer from connections that are being opened."""

TRIAL_SECONDS = 0.5
TRIAL_PAUSE_SECONDS = 5.0
TRIAL_GAIN = 0.5
"""A higher limit is kept if it brings at least half of the answers that the law promises."""


class ConcurrencyLimit:
    """How many requests may be in flight to keep the rate.

    Little's law says ``rate * latency``. But where the rate cannot be reached, since some queue is
    full, the latency is that queue's, and the law would only feed it. So the limit is raised on
    trial, and kept if that brings the answers that it should.
    """

    def __init__(self, now: float, fixed: int | None = None) -> None:
        """``fixed`` is the operator's own limit."""
        self.limit = fixed or MIN_IN_FLIGHT
        self._is_fixed = fixed is not None
        self._latency_seconds: float | None = None
        self._answers = 0
        self._is_estimated = False
        self._is_full = False
        self._looked_at = now
        self._before_trial: tuple[int, float] | None = None
        self._next_trial_at = now

    def note_answer(self, latency_seconds: float) -> None:
        self._answers += 1
        mean = latency_seconds if self._latency_seconds is None else self._latency_seconds
        self._latency_seconds = mean + 0.1 * (latency_seconds - mean)

    def note_full(self) -> None:
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
            self._end_trial(answers_rps, rate_rps, now)
        elif needed > self.limit and now >= self._next_trial_at:
            self._before_trial = self.limit, answers_rps
            self.limit = needed if is_first else min(2 * self.limit, needed)
        self._is_estimated |= is_first
        self._looked_at, self._answers, self._is_full = now, 0, False

    def _end_trial(self, answers_rps: float, rate_rps: float, now: float) -> None:
        limit, rps = self._before_trial or (self.limit, 0.0)
        self._before_trial = None
        promised_rps = min(rate_rps, rps * self.limit / limit)
        if answers_rps < rps + TRIAL_GAIN * (promised_rps - rps):
            self.limit = limit
            self._next_trial_at = now + TRIAL_PAUSE_SECONDS

    def _needed(self, rate_rps: float) -> int:
        """Twice the mean, because answers do not come evenly."""
        needed = math.ceil(2 * rate_rps * (self._latency_seconds or 0.0))
        return min(MAX_IN_FLIGHT, max(MIN_IN_FLIGHT, needed))
