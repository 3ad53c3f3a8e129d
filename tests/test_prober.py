"""The prober keeps to its pace and to its order."""

from __future__ import annotations

from collections import Counter

from reaper.core.endpoint import parse_endpoint
from reaper.core.model import Ask, Outcome, Probe, Purpose
from reaper.prober import Prober
from tests.core.builders import ENDPOINT
from tests.world import FakeGateway, World


def a_probe(name: str) -> Probe:
    return Probe(ENDPOINT, name, Ask.CHECK, Purpose.DUE)


def run(world: World, prober: Prober) -> list[str]:
    order = []
    while not prober.idle:
        order += [answer.probe.connection_id for answer in prober.poll(1.0)]
    return order


def test_no_second_sees_more_than_the_rate():
    world = World()
    prober = Prober(FakeGateway(world), 40, None, world.clock)
    for n in range(200):
        prober.ask(a_probe(f"c{n}"))
    run(world, prober)

    per_second = Counter(int(moment) for moment in world.sent_at)
    assert max(per_second.values()) <= 41
    assert 4.5 <= world.moment <= 5.2


def test_what_is_ripe_goes_before_what_merely_waits():
    world = World()
    prober = Prober(FakeGateway(world), 10, None, world.clock)
    for n in range(20):
        prober.ask(a_probe(f"c{n}"))
    prober.ask_later(a_probe("suspect"), 0.5)
    order = run(world, prober)

    assert 4 <= order.index("suspect") <= 7


def test_no_more_are_in_flight_than_allowed():
    world = World()
    gateway = FakeGateway(world)
    prober = Prober(gateway, 10_000, 3, world.clock)
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
    prober = Prober(FakeGateway(world), 100, None, world.clock)
    prober.ask(a_probe("c"))
    answers = []
    while not prober.idle:
        answers += prober.poll(1.0)

    assert [answer.outcome for answer in answers] == [Outcome.THROTTLED]
    assert prober.calls == 3


def test_an_answer_to_an_earlier_prober_is_not_ours():
    world = World()
    gateway = FakeGateway(world)
    gateway.start(a_probe("left over"))
    prober = Prober(gateway, 100, None, world.clock)

    assert prober.poll(1.0) == []


OTHER = parse_endpoint("https://xyz789.execute-api.eu-west-1.amazonaws.com/prod", None)


class HalfHangingGateway(FakeGateway):
    """Answers for one endpoint, and for the other only after a long while."""

    def latency(self, probe: Probe) -> float:
        return 30.0 if probe.endpoint == OTHER else super().latency(probe)


def test_an_endpoint_that_hangs_holds_up_no_other():
    world = World()
    gateway = HalfHangingGateway(world)
    prober = Prober(gateway, 50, 10, world.clock)
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
    prober = Prober(FakeGateway(world), 40, None, world.clock)
    for n in range(100):
        prober.ask(a_probe(f"c{n}"))
    for n in range(100):
        prober.ask(Probe(OTHER, f"o{n}", Ask.CHECK, Purpose.DUE))
    order = run(world, prober)

    assert 45 <= sum(name.startswith("o") for name in order[:100]) <= 55
    assert max(Counter(int(moment) for moment in world.sent_at).values()) <= 41


def test_a_throttled_account_slows_down_however_many_endpoints_it_has():
    world = World(answers_all=Outcome.THROTTLED)
    prober = Prober(FakeGateway(world), 200, None, world.clock)
    for n in range(3000):
        endpoint = OTHER._replace(path=f"/stage{n % 50}")
        prober.ask(Probe(endpoint, f"c{n}", Ask.CHECK, Purpose.DUE))
    while world.moment < 4:
        prober.poll(0.1)

    per_second = Counter(int(moment) for moment in world.sent_at)
    assert per_second[3] < 60
