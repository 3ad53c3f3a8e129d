"""Keeps probes in flight, as many and as fast as the budget allows, and fairly among endpoints."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable

import structlog

from reaper.core.model import CHECK, Answer, Ask, Outcome, Probe
from reaper.core.pacing.concurrency import MAX_IN_FLIGHT, ConcurrencyLimit
from reaper.core.pacing.latency import Latencies
from reaper.core.pacing.rate import AIMDRate, TokenBucket
from reaper.core.rows.endpoint import Endpoint
from reaper.sweep.ports import Gateway

log = structlog.get_logger()

MAX_ATTEMPTS = 3
"""How often a check is sent that the account's throttle refuses, or a stale connection loses."""

MAX_ATTEMPTS_INCONCLUSIVE = 2
"""Where an answer was inconclusive: a live socket may need its heartbeat."""

TICK_SECONDS = 0.005
"""It wakes no more often to send, since the token bucket makes good some lateness."""

RETRY_AFTER_SECONDS = 1.0
"""The throttle's bucket is filled by the second."""

_FINAL = (Outcome.ALIVE, Outcome.GONE)
"""What is never asked again on the spot."""


class _Lane:
    """The probes of one endpoint. One that hangs holds up nobody else's."""

    def __init__(self, concurrency: ConcurrencyLimit) -> None:
        self.ready: deque[Probe] = deque()
        self.concurrency = concurrency
        self._in_flight = 0

    def may_send(self, room: int) -> bool:
        """Whether there is something to send, and room for it in flight.

        ``room`` is as much of the room for all lanes as this one may take.
        """
        in_flight = self._in_flight
        return in_flight < room and in_flight < self.concurrency.limit and bool(self.ready)

    def take(self) -> Probe:
        self._in_flight += 1
        return self.ready.popleft()

    def note_answer(self, latency_seconds: float) -> None:
        self._in_flight -= 1
        self.concurrency.note_answer(latency_seconds)


class Prober:
    """Takes probes at any time, sends them at the paced rate, gives back their answers.

    The pace is one for all endpoints, since the quota is the Region's; within it each has a lane
    of its own, and they take turns. A check that is throttled can only mean the account: the rate
    goes down and the check is sent again. A throttled heartbeat may also mean this one client's
    full buffer, and a check tells which: it follows in the heartbeat's place.
    """

    def __init__(
        self,
        gateway: Gateway,
        rate: AIMDRate,
        max_in_flight: int | None,
        clock: Callable[[], float],
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """``max_in_flight`` is shared by the lanes; None is what rate and latency need.

        Rates are those of all probers together; ``share`` is this one's part of them.
        """
        self._gateway = gateway
        self._clock = clock
        self._share = share
        self._max_in_flight = max_in_flight
        self._rate = rate
        self._bucket = TokenBucket(rate.rate(clock()) * share(), clock())
        self._lanes: defaultdict[Endpoint, _Lane] = defaultdict(self._new_lane)
        self._turns: deque[_Lane] = deque()
        self._later: list[tuple[float, int, Probe]] = []
        self._order = itertools.count()
        self._in_flight: dict[Probe, _Lane] = {}
        self.calls = 0
        """Requests sent so far."""
        self.checks = 0
        """Those of them that were GETs."""
        self.latencies = Latencies()
        self.slowdowns = 0
        """How often the account's throttle lowered the rate."""

    @property
    def backlog(self) -> int:
        """Probes that wait to be sent as soon as the pace allows."""
        return sum(len(lane.ready) for lane in self._turns)

    @property
    def open(self) -> int:
        """Probes without a final answer."""
        return self.backlog + len(self._later) + self._gateway.in_flight

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return self.open == 0

    @property
    def rate_rps(self) -> float:
        """The pace that is kept now."""
        return self._bucket.rate

    def set_rate(self, rate_rps: float) -> None:
        """Change the pace that is kept when nobody complains."""
        self._rate.set_ceiling(rate_rps)

    def ask(self, probe: Probe) -> None:
        """Send this as soon as its turn comes."""
        self._lanes[probe.endpoint].ready.append(probe)

    def ask_next(self, probe: Probe) -> None:
        """Send this before what merely waits its turn."""
        self._lanes[probe.endpoint].ready.appendleft(probe)

    def ask_later(self, probe: Probe, delay_seconds: float) -> None:
        """Send this no sooner than after so long, and then before what merely waits its turn."""
        due = self._clock() + delay_seconds
        heapq.heappush(self._later, (due, next(self._order), probe))

    def give_up(self, endpoint: Endpoint) -> list[Probe]:
        """Forget what waits to be sent to one endpoint, and return it."""
        lane = self._lanes.get(endpoint)
        if lane is None:
            return []
        waiting = list(lane.ready)
        lane.ready.clear()
        return waiting

    def abandon(self) -> None:
        """Forget what has not been sent yet."""
        for lane in self._turns:
            lane.ready.clear()
        self._later.clear()

    def poll(self, wait_seconds: float) -> list[Answer]:
        """Send what may be sent; return the answers that have come, waiting so long at most."""
        self._send()
        next_send = max(TICK_SECONDS, self._seconds_to_next_send())
        answers = self._gateway.poll(min(wait_seconds, next_send))
        return [answer for answer in answers if self._take_answer(answer)]

    def _new_lane(self) -> _Lane:
        lane = _Lane(ConcurrencyLimit(self._clock(), self._max_in_flight))
        self._turns.append(lane)
        return lane

    def _send(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self.ask_next(heapq.heappop(self._later)[2])
        self._bucket.set_rate(self._rate.rate(now) * self._share(), now)
        for lane in self._turns:
            lane.concurrency.adjust(self._bucket.rate, now)
        room = self._room_of_each
        lanes = deque([lane for lane in self._turns if lane.may_send(room)])
        last = None
        while lanes and self._bucket.take(now):
            last = lanes.popleft()
            self._start(last, now)
            if last.may_send(room):
                lanes.append(last)
        if last is not None:
            self._turns.rotate(-1 - self._turns.index(last))  # next time the one after it begins
        if self._bucket.seconds_to_next(now) == 0:
            for lane in self._turns:
                if lane.ready:
                    lane.concurrency.note_full()

    def _start(self, lane: _Lane, now: float) -> None:
        probe = lane.take()
        probe.attempts += 1
        probe.sent_at = now
        self.calls += 1
        self.checks += probe.ask is CHECK
        self._in_flight[probe] = lane
        self._gateway.start(probe)

    @property
    def _room_of_each(self) -> int:
        """How many probes of one lane may be in flight, for the others to have their part."""
        return max(1, (self._max_in_flight or MAX_IN_FLIGHT) // max(1, len(self._turns)))

    def _seconds_to_next_send(self) -> float:
        now, room = self._clock(), self._room_of_each
        may_send = any(lane.may_send(room) for lane in self._turns)
        in_lanes = self._bucket.seconds_to_next(now) if may_send else float("inf")
        later = self._later[0][0] - now if self._later else float("inf")
        return min(in_lanes, later)

    def _take_answer(self, answer: Answer) -> bool:
        """Note an answer, and ask again where it settles nothing. Whether it stands."""
        probe, now = answer.probe, self._clock()
        lane = self._in_flight.pop(probe, None)
        if lane is None:
            return False  # it answers to an earlier prober, whose sweep broke off
        latency_seconds = now - probe.sent_at
        lane.note_answer(latency_seconds)
        self.latencies.observe(latency_seconds)
        if answer.outcome in _FINAL:
            return True
        if answer.was_stale and probe.attempts < MAX_ATTEMPTS:
            probe.is_rested = True
            self.ask_next(probe)
            return False
        if answer.outcome is Outcome.UNKNOWN and probe.attempts < MAX_ATTEMPTS_INCONCLUSIVE:
            self.ask_later(probe, RETRY_AFTER_SECONDS)
            return False
        if answer.outcome is not Outcome.THROTTLED:
            return True
        if probe.ask is Ask.HEARTBEAT:
            probe.ask = Ask.CHECK
            self.ask(probe)
            return False
        if self._rate.throttled(now):
            self.slowdowns += 1
            log.warning(
                "throttled by the account's quota",
                endpoint=str(probe.endpoint),
                rate_rps=round(self._rate.rate(now) * self._share(), 1),
                variable="REAPER_QUOTA_SHARE",
            )
        if probe.attempts >= MAX_ATTEMPTS:
            return True
        self.ask_later(probe, RETRY_AFTER_SECONDS)
        return False
