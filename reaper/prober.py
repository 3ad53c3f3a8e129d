"""Keeps probes in flight, as many and as fast as the budget allows, and fairly among endpoints."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

from reaper.core.model import Answer, Ask, Endpoint, Outcome, Probe
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


class _Lane:
    """The probes of one endpoint. One that hangs or is throttled holds up nobody else's."""

    def __init__(self, rate_rps: float, now: float) -> None:
        self.ready: deque[Probe] = deque()
        self.rate = AdaptiveRate.starting_at(rate_rps, now)
        self._bucket = TokenBucket(rate_rps, now)
        self._in_flight = 0
        self._latency_seconds = 0.0

    def seconds_to_next(self, now: float) -> float:
        """How long until this lane may send; infinite where there is nothing to send."""
        return self._bucket.seconds_to_next(now) if self.ready else float("inf")

    def is_full(self, now: float, limit: int | None) -> bool:
        """Whether only an answer can make room; without a limit, what rate and latency need."""
        if limit is None:
            limit = in_flight_limit(self.rate.rate(now), self._latency_seconds)
        return self._in_flight >= limit

    def take(self, now: float) -> Probe:
        self._bucket.rate = self.rate.rate(now)
        self._bucket.take(now)
        self._in_flight += 1
        return self.ready.popleft()

    def came_back(self, seconds: float) -> None:
        self._in_flight -= 1
        self._latency_seconds += 0.1 * (seconds - self._latency_seconds)


class Prober:
    """Takes probes at any time, sends them at the paced rate, gives back their answers.

    The pace is one for all endpoints, since the quota is the Region's; within it each has a lane
    of its own, and they take turns. A check that is throttled can only mean the account: the
    lane's rate goes down and the check is sent again. A throttled heartbeat may also mean this one
    client's full buffer, and a check tells which: it follows in the heartbeat's place.
    """

    def __init__(
        self,
        gateway: Gateway,
        rate_rps: float,
        max_in_flight: int | None,
        clock: Callable[[], float],
    ) -> None:
        """``max_in_flight`` is shared evenly by the lanes; None is what rate and latency need."""
        self._gateway = gateway
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._pace = TokenBucket(rate_rps, clock())
        self._lanes: dict[Endpoint, _Lane] = {}
        self._turns: deque[_Lane] = deque()
        self._later: list[tuple[float, int, Probe]] = []
        self._order = itertools.count()
        self._sent_at: dict[int, float] = {}
        self.calls = 0
        """Requests sent so far."""
        self.checks = 0
        """Those of them that were GETs."""

    @property
    def backlog(self) -> int:
        """Probes that wait to be sent as soon as the pace allows."""
        return sum(len(lane.ready) for lane in self._turns)

    @property
    def open(self) -> int:
        """Questions without a final answer."""
        return self.backlog + len(self._later) + self._gateway.in_flight

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
        self._pace.rate = rate_rps
        for lane in self._turns:
            lane.rate.ceiling = rate_rps

    def ask(self, probe: Probe) -> None:
        """Send this as soon as its turn comes."""
        self._lane(probe).ready.append(probe)

    def ask_next(self, probe: Probe) -> None:
        """Send this before what merely waits its turn."""
        self._lane(probe).ready.appendleft(probe)

    def ask_later(self, probe: Probe, delay_seconds: float) -> None:
        """Send this no sooner than after so long, and then before what merely waits its turn."""
        due = self._clock() + delay_seconds
        heapq.heappush(self._later, (due, next(self._order), probe))

    def abandon(self) -> None:
        """Forget what has not been sent yet."""
        for lane in self._turns:
            lane.ready.clear()
        self._later.clear()

    def poll(self, wait_seconds: float) -> list[Answer]:
        """Send what may be sent; return the answers that have come, waiting so long at most."""
        self._send()
        answers = self._gateway.poll(min(wait_seconds, self._seconds_to_next_send()))
        return [answer for answer in answers if self._is_final(answer)]

    def _lane(self, probe: Probe) -> _Lane:
        lane = self._lanes.get(probe.endpoint)
        if lane is None:
            lane = _Lane(self._pace.rate, self._clock())
            self._lanes[probe.endpoint] = lane
            self._turns.append(lane)
        return lane

    def _send(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self.ask_next(heapq.heappop(self._later)[2])
        while self._pace.seconds_to_next(now) == 0 and (lane := self._next_lane(now)) is not None:
            self._pace.take(now)
            probe = lane.take(now)
            probe.attempts += 1
            self.calls += 1
            self.checks += probe.ask is Ask.CHECK
            self._sent_at[id(probe)] = now
            self._gateway.start(probe)

    def _next_lane(self, now: float) -> _Lane | None:
        """The lane whose turn it is among those that may send now."""
        for _ in range(len(self._turns)):
            lane = self._turns[0]
            self._turns.rotate(-1)
            if lane.seconds_to_next(now) == 0 and not lane.is_full(now, self._lane_limit):
                return lane
        return None

    @property
    def _lane_limit(self) -> int | None:
        if self._max_in_flight is None or not self._turns:
            return None
        return max(1, self._max_in_flight // len(self._turns))

    def _seconds_to_next_send(self) -> float:
        now, limit = self._clock(), self._lane_limit
        waits = (lane.seconds_to_next(now) for lane in self._turns if not lane.is_full(now, limit))
        in_lanes = min(waits, default=float("inf"))
        later = self._later[0][0] - now if self._later else float("inf")
        return min(max(in_lanes, self._pace.seconds_to_next(now)), later)

    def _is_final(self, answer: Answer) -> bool:
        """Whether this answer stands, or the question was put again."""
        probe, now = answer.probe, self._clock()
        sent_at = self._sent_at.pop(id(probe), None)
        if sent_at is None:
            return False  # it answers to an earlier prober, whose sweep broke off
        lane = self._lane(probe)
        lane.came_back(now - sent_at)
        if answer.outcome is Outcome.UNKNOWN and probe.attempts < MOST_ATTEMPTS_UNTOLD:
            self.ask_later(probe, RETRY_AFTER_SECONDS)
            return False
        if answer.outcome is not Outcome.THROTTLED:
            return True
        if probe.ask is Ask.HEARTBEAT:
            probe.ask = Ask.CHECK
            self.ask(probe)
            return False
        if lane.rate.throttled(now):
            log.warning(
                "the account's throttle was hit: slowing down",
                endpoint=str(probe.endpoint),
                rate_rps=round(lane.rate.rate(now), 1),
                variable="REAPER_QUOTA_SHARE",
            )
        if probe.attempts >= MOST_ATTEMPTS:
            return True
        self.ask_later(probe, RETRY_AFTER_SECONDS)
        return False
