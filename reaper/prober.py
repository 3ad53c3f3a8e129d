"""Keeps probes in flight, as many and as fast as the budget allows."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

from reaper.core.model import Answer, Ask, Outcome, Probe
from reaper.core.pacing import AdaptiveRate, TokenBucket, in_flight_limit

log = structlog.get_logger()

MOST_ATTEMPTS = 3
"""How often a probe is sent that the account's throttle refuses."""

MOST_ATTEMPTS_UNTOLD = 2
"""An answer that told nothing is asked for once more: a live socket may need its heartbeat."""

RETRY_AFTER_SECONDS = 1.0
"""The throttle's bucket is filled by the second."""


class Gateway(Protocol):
    """What a prober asks: API Gateway, or a stand-in."""

    @property
    def in_flight(self) -> int: ...
    def start(self, probe: Probe) -> None: ...
    def poll(self, wait_seconds: float) -> list[Answer]: ...


class Prober:
    """Takes probes at any time, sends them at the paced rate, gives back their answers.

    A check that is throttled can only mean the account: the rate goes down and the check is
    sent again. A throttled heartbeat may also mean this one client's full buffer, and a check
    tells which: it follows in the heartbeat's place.
    """

    def __init__(
        self,
        gateway: Gateway,
        rate_rps: float,
        max_in_flight: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._rate = AdaptiveRate.starting_at(rate_rps, clock())
        self._bucket = TokenBucket(rate_rps, clock())
        self._ready: deque[Probe] = deque()
        self._later: list[tuple[float, int, Probe]] = []
        self._order = itertools.count()
        self._sent_at: dict[int, float] = {}
        self._latency_seconds = 0.0
        self.calls = 0
        """Requests sent so far."""
        self.checks = 0
        """Those of them that were GETs."""

    @property
    def backlog(self) -> int:
        """Probes that wait to be sent as soon as the pace allows."""
        return len(self._ready)

    @property
    def open(self) -> int:
        """Questions without a final answer."""
        return len(self._ready) + len(self._later) + self._gateway.in_flight

    @property
    def postponed(self) -> int:
        """Probes that wait for a later moment."""
        return len(self._later)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return self.open == 0

    def set_rate(self, rate_rps: float) -> None:
        """Change the pace that is kept when nobody complains."""
        self._rate.ceiling = rate_rps

    def ask(self, probe: Probe) -> None:
        """Send this as soon as its turn comes."""
        self._ready.append(probe)

    def ask_later(self, probe: Probe, delay_seconds: float) -> None:
        """Send this no sooner than after so long, and then before what merely waits its turn."""
        due = self._clock() + delay_seconds
        heapq.heappush(self._later, (due, next(self._order), probe))

    def abandon(self) -> None:
        """Forget what has not been sent yet."""
        self._ready.clear()
        self._later.clear()

    def poll(self, wait_seconds: float) -> list[Answer]:
        """Send what may be sent; return the answers that have come, waiting so long at most."""
        self._send()
        answers = self._gateway.poll(min(wait_seconds, self._seconds_to_next_send()))
        return [answer for answer in answers if self._is_final(answer)]

    def _send(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self._ready.appendleft(heapq.heappop(self._later)[2])
        self._bucket.rate = self._rate.rate(now)
        limit = self._in_flight_limit()
        while self._ready and self._gateway.in_flight < limit and self._bucket.take(now):
            probe = self._ready.popleft()
            probe.attempts += 1
            self.calls += 1
            self.checks += probe.ask is Ask.CHECK
            self._sent_at[id(probe)] = now
            self._gateway.start(probe)

    def _in_flight_limit(self) -> int:
        if self._max_in_flight is not None:
            return self._max_in_flight
        return in_flight_limit(self._bucket.rate, self._latency_seconds)

    def _seconds_to_next_send(self) -> float:
        now = self._clock()
        if self._ready:
            at_capacity = self._gateway.in_flight >= self._in_flight_limit()
            return float("inf") if at_capacity else self._bucket.seconds_to_next(now)
        return self._later[0][0] - now if self._later else float("inf")

    def _is_final(self, answer: Answer) -> bool:
        """Whether this answer stands, or the question was put again."""
        probe, now = answer.probe, self._clock()
        sent_at = self._sent_at.pop(id(probe), None)
        if sent_at is None:
            return False  # it answers to an earlier prober, whose sweep broke off
        self._latency_seconds += 0.1 * (now - sent_at - self._latency_seconds)
        if answer.outcome is Outcome.UNKNOWN and probe.attempts < MOST_ATTEMPTS_UNTOLD:
            self.ask_later(probe, RETRY_AFTER_SECONDS)
            return False
        if answer.outcome is not Outcome.THROTTLED:
            return True
        if probe.ask is Ask.HEARTBEAT:
            probe.ask = Ask.CHECK
            self.ask(probe)
            return False
        if self._rate.throttled(now):
            log.warning(
                "the account's throttle was hit: slowing down",
                rate_rps=round(self._rate.rate(now), 1),
                variable="REAPER_QUOTA_SHARE",
            )
        if probe.attempts >= MOST_ATTEMPTS:
            return True
        self.ask_later(probe, RETRY_AFTER_SECONDS)
        return False
