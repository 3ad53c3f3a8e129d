"""The prober keeps to its pace and to its order."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose
from reaper.core.pacing.rate import AIMDRate
from reaper.core.rows.endpoint import parse_endpoint
from reaper.sweep.prober import Prober
from tests.support.builders import ENDPOINT
from tests.support.world import LATENCY_SECONDS, FakeGateway, World


def a_probe(name: str) -> Probe:
    return Probe(ENDPOINT, name, Ask.CHECK, Purpose.DUE)


def run(world: World, prober: Prober) -> list[str]:
    order = []
    while not prober.idle:
        order += [answer.probe.connection_id for answer in prober.poll(1.0)]
    return order


def test_no_second_sees_more_than_the_rate():
    world = World()
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(40, world.clock()), None, world.clock)
    for n in range(200):
        prober.ask(a_probe(f"c{n}"))
    run(world, prober)

    per_second = Counter(int(moment) for moment in world.sent_at)
    assert max(per_second.values()) <= 41
    assert 4.5 <= world.moment <= 5.2


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=16))
def test_workers_who_share_a_sweep_keep_to_the_budget_together(lives):
    """Whenever each comes and goes: a segment is only ever with one of them, and is its share."""
    of, budget_rps = len(lives), 160.0
    sent: Counter[int] = Counter()
    for came_at, stayed in lives:
        world = World()
        world.moment = came_at / 10
        prober = Prober(
            FakeGateway(world),
            AIMDRate.starting_at(budget_rps, world.clock()),
            None,
            world.clock,
            lambda: 1 / of,
        )
        for n in range(100):
            prober.ask(a_probe(f"c{n}"))
        while not prober.idle and world.moment < (came_at + stayed) / 10:
            prober.poll(0.1)
        sent.update(int(moment) for moment in world.sent_at)

    assert max(sent.values()) <= budget_rps * 1.01 + of


def test_a_share_that_grows_is_used_at_once():
    world = World()
    share = [0.25]
    prober = Prober(
        FakeGateway(world),
        AIMDRate.starting_at(100, world.clock()),
        None,
        world.clock,
        lambda: share[0],
    )
    for n in range(200):
        prober.ask(a_probe(f"c{n}"))
    while world.moment < 1.0:
        prober.poll(0.1)
    share[0] = 1.0
    run(world, prober)

    first, *later = sorted(Counter(int(moment) for moment in world.sent_at).items())
    assert first[1] <= 26
    assert all(count >= 74 for _, count in later[:1])


def test_what_is_ripe_goes_before_what_merely_waits():
    world = World()
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(10, world.clock()), None, world.clock)
    for n in range(20):
        prober.ask(a_probe(f"c{n}"))
    prober.ask_later(a_probe("suspect"), 0.5)
    order = run(world, prober)

    assert 4 <= order.index("suspect") <= 7


def test_no_more_are_in_flight_than_allowed():
    world = World()
    gateway = FakeGateway(world)
    prober = Prober(gateway, AIMDRate.starting_at(10_000, world.clock()), 3, world.clock)
    most = 0
    for n in range(50):
        prober.ask(a_probe(f"c{n}"))
    while not prober.idle:
        prober.poll(0)
        most = max(most, gateway.in_flight)
        prober.poll(0.01)

    assert most == 3


def test_a_throttled_check_is_asked_again_but_not_for_ever():
    world = World(answers_all=Outcome.THROTTLED)
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(100, world.clock()), None, world.clock)
    prober.ask(a_probe("c"))
    answers = []
    while not prober.idle:
        answers += prober.poll(1.0)

    assert [answer.outcome for answer in answers] == [Outcome.THROTTLED]
    assert prober.calls == 3
    assert prober.slowdowns == 3


def test_it_knows_how_long_every_answer_took():
    world = World()
    prober = Prober(
        FakeGateway(world), AIMDRate.starting_at(1000, world.clock()), None, world.clock
    )
    for n in range(20):
        prober.ask(a_probe(f"c{n}"))
    run(world, prober)

    assert sum(prober.latencies.counts) == 20
    assert prober.latencies.total_seconds / 20 == pytest.approx(LATENCY_SECONDS, rel=0.2)


def test_an_answer_to_an_earlier_prober_is_not_ours():
    world = World()
    gateway = FakeGateway(world)
    gateway.start(a_probe("left over"))
    prober = Prober(gateway, AIMDRate.starting_at(100, world.clock()), None, world.clock)

    assert prober.poll(1.0) == []


OTHER = parse_endpoint("https://xyz789.execute-api.eu-west-1.amazonaws.com/prod", None)


class HalfHangingGateway(FakeGateway):
    """Answers for one endpoint, and for the other only after a long while."""

    def latency(self, probe: Probe) -> float:
        return 30.0 if probe.endpoint == OTHER else super().latency(probe)


def test_an_endpoint_that_hangs_holds_up_no_other():
    world = World()
    gateway = HalfHangingGateway(world)
    prober = Prober(gateway, AIMDRate.starting_at(50, world.clock()), 10, world.clock)
    for n in range(100):
        prober.ask(Probe(OTHER, f"hangs{n}", Ask.CHECK, Purpose.DUE))
    for n in range(100):
        prober.ask(a_probe(f"c{n}"))
    answered: list[str] = []
    while world.moment < 5:
        answered += [answer.probe.connection_id for answer in prober.poll(0.01)]
        assert gateway.in_flight <= 10

    assert sorted(answered) == sorted(f"c{n}" for n in range(100))


def test_endpoints_take_turns_and_stay_within_the_budget_together():
    world = World()
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(40, world.clock()), None, world.clock)
    for n in range(100):
        prober.ask(a_probe(f"c{n}"))
    for n in range(100):
        prober.ask(Probe(OTHER, f"o{n}", Ask.CHECK, Purpose.DUE))
    order = run(world, prober)

    assert 45 <= sum(name.startswith("o") for name in order[:100]) <= 55
    assert max(Counter(int(moment) for moment in world.sent_at).values()) <= 41


def test_a_throttled_account_slows_down_however_many_endpoints_it_has():
    world = World(answers_all=Outcome.THROTTLED)
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(200, world.clock()), None, world.clock)
    for n in range(3000):
        endpoint = OTHER._replace(path=f"/stage{n % 50}")
        prober.ask(Probe(endpoint, f"c{n}", Ask.CHECK, Purpose.DUE))
    while world.moment < 4:
        prober.poll(0.1)

    per_second = Counter(int(moment) for moment in world.sent_at)
    assert per_second[3] < 60


def test_the_rate_is_reached_however_long_answers_take():
    class SlowGateway(FakeGateway):
        def latency(self, probe: Probe) -> float:
            return 0.05

    world = World()
    prober = Prober(
        SlowGateway(world), AIMDRate.starting_at(1000, world.clock()), None, world.clock
    )
    for n in range(10_000):
        prober.ask(a_probe(f"c{n}"))
    while prober.backlog:
        prober.poll(0.005)

    assert 10.0 <= world.moment <= 10.5


class SharedQuota(FakeGateway):
    """A quota of so many requests a second, with a burst, that the application lives on too."""

    def __init__(self, world: World, quota_rps: float, burst: float, others_rps: float) -> None:
        super().__init__(world)
        self.quota_rps, self.burst, self.others_rps = quota_rps, burst, others_rps
        self.tokens, self.filled_at, self.others_at = burst, 0.0, 0.0
        self.others = self.others_refused = self.ours = 0
        self.refused: set[int] = set()

    def start(self, probe: Probe) -> None:
        self.let_others_call()
        if self.is_taken(self._world.moment):
            self.ours += 1
        else:
            self.refused.add(id(probe))
        super().start(probe)

    def poll(self, wait_seconds: float) -> list[Answer]:
        answers = super().poll(wait_seconds)
        self.let_others_call()
        return [
            answer._replace(outcome=Outcome.THROTTLED)
            if id(answer.probe) in self.refused and not self.refused.discard(id(answer.probe))
            else answer
            for answer in answers
        ]

    def let_others_call(self) -> None:
        while self.others_rps and self.others_at + 1 / self.others_rps <= self._world.moment:
            self.others_at += 1 / self.others_rps
            self.others += 1
            self.others_refused += not self.is_taken(self.others_at)

    def is_taken(self, moment: float) -> bool:
        if moment > self.filled_at:
            refill = (moment - self.filled_at) * self.quota_rps
            self.tokens, self.filled_at = min(self.burst, self.tokens + refill), moment
        is_there = self.tokens >= 1
        self.tokens -= is_there
        return is_there


def keep_asking(world: World, prober: Prober, until: float) -> None:
    numbers = itertools.count()
    while world.moment < until:
        while prober.backlog < 50:
            prober.ask(a_probe(f"c{next(numbers)}"))
        prober.poll(0.05)


def test_it_yields_to_the_application_and_uses_what_that_leaves():
    world = World(answers_all=Outcome.ALIVE)
    gateway = SharedQuota(world, quota_rps=100, burst=50, others_rps=70)
    prober = Prober(gateway, AIMDRate.starting_at(50, world.clock()), None, world.clock)
    keep_asking(world, prober, until=600)

    assert gateway.ours / 600 >= 0.8 * (100 - 70)
    assert gateway.others_refused / gateway.others <= 0.03


def test_an_application_that_wants_everything_loses_no_more_than_the_budget():
    world = World(answers_all=Outcome.ALIVE)
    gateway = SharedQuota(world, quota_rps=100, burst=50, others_rps=200)
    prober = Prober(gateway, AIMDRate.starting_at(50, world.clock()), None, world.clock)
    keep_asking(world, prober, until=300)

    others_rps = (gateway.others - gateway.others_refused) / 300
    assert others_rps >= 0.9 * 100


def test_it_comes_back_when_the_application_has_gone_quiet():
    world = World(answers_all=Outcome.ALIVE)
    gateway = SharedQuota(world, quota_rps=100, burst=50, others_rps=95)
    prober = Prober(gateway, AIMDRate.starting_at(50, world.clock()), None, world.clock)
    keep_asking(world, prober, until=120)
    gateway.others_rps = 0
    keep_asking(world, prober, until=180)
    ours_before = gateway.ours
    keep_asking(world, prober, until=190)

    assert (gateway.ours - ours_before) / 10 >= 48


def test_an_endpoint_with_nothing_to_send_wakes_nobody_and_delays_nobody():
    """Of two, one has run dry: the other's next probe goes when the rate allows it."""
    world = World()
    prober = Prober(FakeGateway(world), AIMDRate.starting_at(10, world.clock()), None, world.clock)
    prober.ask(Probe(OTHER, "only", Ask.CHECK, Purpose.DUE))
    run(world, prober)
    begins = world.moment
    for n in range(5):
        prober.ask(a_probe(f"c{n}"))
    run(world, prober)
    assert world.moment - begins == pytest.approx(5 / 10, abs=0.15)


def test_a_burst_of_lateness_exceeds_the_rate_by_one_percent_and_one_at_most():
    world = World()
    prober = Prober(
        FakeGateway(world), AIMDRate.starting_at(1000, world.clock()), None, world.clock
    )
    for n in range(5000):
        prober.ask(a_probe(f"c{n}"))
    while not prober.idle:
        prober.poll(0.1)
        world.pass_to(world.moment + 0.03)  # the caller is late each time
    windows = [
        sum(start <= at < start + 1 for at in world.sent_at) for start in world.sent_at[::50]
    ]
    assert max(windows) <= 1000 * 1.01 + 1


def test_what_throttling_taught_is_kept_from_sweep_to_sweep():
    world = World()
    for n in range(100):
        world.add(f"c{n}", alive=True, silent=470)
    world.lies = {"c0": [Outcome.THROTTLED] * 2}
    world.page_size = 100
    world.sweep(rate=100)
    sent_before, world.moment = len(world.sent_at), world.moment + 1
    started = world.moment
    world.sweep(rate=100)
    assert world.moment - started > 1.2 * 100 / 100
    assert len(world.sent_at) - sent_before == 100


def test_a_stale_connection_costs_another_request_of_the_budget_and_no_pause():
    """It is asked over another connection, by the bucket's next token."""
    world = World()
    world.add("c", alive=True)
    gateway = FakeGateway(world)
    poll, is_lost = gateway.poll, [True]

    def loses_one(seconds: float) -> list[Answer]:
        answers = poll(seconds)
        if answers and is_lost:
            is_lost.clear()
            return [answers[0]._replace(outcome=Outcome.UNKNOWN, was_stale=True)]
        return answers

    gateway.poll = loses_one
    prober = Prober(gateway, AIMDRate.starting_at(10, world.clock()), None, world.clock)
    probe = a_probe("c")
    prober.ask(probe)
    assert run(world, prober) == ["c"]
    assert (prober.calls, probe.is_rested) == (2, True)
    assert world.moment < 0.5
