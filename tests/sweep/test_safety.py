"""The promises, kept in thousands of simulated worlds. A failure names the seed of its world."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from reaper.core.evidence.breaker import HoldReason
from reaper.core.model import Outcome
from reaper.core.sweep_rules import EvictAction
from reaper.core.triage import HeartbeatMode
from tests.support.rooms import Hold, RoomLife
from tests.support.simulation import INTERVAL, Blip, Design, Life, Time, Troubles
from tests.support.world import PromiseBroken

pytestmark = pytest.mark.worlds

WORLDS_PER_TEST = 150
QUESTIONING = 120.0
"""Twice the confirm delay."""

OLDEST = 7500.0

HELD_BY_NUMBERS = (
    HoldReason.TOO_MANY_GONE,
    HoldReason.UNPROVEN_ENDPOINT,
    HoldReason.AGE_CONTRADICTED,
)


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch):
    """They would make worlds differ from run to run."""
    monkeypatch.setattr("reaper.sweep.eviction.removal.REMOVED_AT_ONCE", 1)
    monkeypatch.setattr("reaper.sweep.pongs.NOTED_AT_ONCE", 1)


def seeds(block: int) -> range:
    return range(block * WORLDS_PER_TEST, (block + 1) * WORLDS_PER_TEST)


def in_each_world(worlds: range, check: Callable[[int], None]) -> None:
    for seed in worlds:
        try:
            check(seed)
        except (AssertionError, PromiseBroken) as error:
            raise AssertionError(f"in the world of seed {seed}") from error


def a_design(seed: int, **fixed) -> Design:
    choose = random.Random(f"design {seed}")
    keyed_by_user = choose.random() < 0.4
    expects_pongs = choose.random() < 0.25
    drawn = {
        "keyed_by_user": keyed_by_user,
        "time": choose.choice([Time.TRUE, Time.TRUE, Time.TRUE, *Time]),
        "stores_last_seen": expects_pongs or choose.random() < 0.6,
        "expects_pongs": expects_pongs,
        "action": choose.choice(list(EvictAction)[: 1 + keyed_by_user]),
        "mode": HeartbeatMode.IDLE if expects_pongs else choose.choice(list(HeartbeatMode)),
        "budget": choose.choice([5.0, 20.0, 200.0]),
        "two_endpoints": choose.random() < 0.3,
        "host_is_ahead_seconds": choose.choice([0, 0, choose.uniform(-600, 600)]),
        "gets_count": choose.random() < 0.2,
    }
    return Design(**drawn | fixed)


def troubles(seed: int) -> Troubles:
    """Some of everything that can go wrong."""
    choose = random.Random(f"troubles {seed}")
    return Troubles(
        no_answer=choose.choice([0, 0.05, 0.3]),
        denied=choose.choice([0, 0, 0.2]),
        throttled=choose.choice([0, 0, 0.1]),
        table=choose.choice([0, 0, 0.1]),
        scan=choose.choice([0, 0, 0.3]),
        disk_is_full=choose.choice([0, 0, 0.3]),
        hook=choose.choice([0, 0, 0.3]),
        kill=choose.choice([0, 0, 0.4]),
        revoked=choose.random() < 0.1,
        wrong_api=choose.random() < 0.15,
        blackout=choose.random() < 0.05,
    )


def blips(seed: int, until: float) -> list[Blip]:
    """Lies of the moment, each shorter than the questioning, and lies about everybody."""
    choose = random.Random(f"blips {seed}")
    found, begins = [], choose.uniform(0, 600)
    while begins < until:
        says = choose.choice(
            [
                (Outcome.GONE,),
                (Outcome.GONE, Outcome.ALIVE),
                (Outcome.GONE, Outcome.UNKNOWN, Outcome.DENIED),
                (Outcome.ALIVE,),
                (Outcome.GONE, Outcome.GONE, Outcome.REJECTED, Outcome.ALIVE),
            ]
        )
        if choose.random() < 0.3:
            one = Blip(begins, choose.uniform(1, 3000), 1.0, (Outcome.GONE,))
            one.endpoint = choose.choice(["", "other"])
        else:
            one = Blip(begins, choose.uniform(1, QUESTIONING), choose.random(), says)
        found.append(one)
        begins = one.begins + one.seconds + choose.uniform(700, 2000)
    return found


def adds_up(report) -> bool:
    kinds = (report.newborn, report.fresh, report.expired, report.foreign, report.malformed)
    zombies = report.evicted + report.changed + report.held + report.failed
    asked = report.alive + report.confirmed + report.unknown + report.pending
    return (
        report.scanned == sum(kinds) + report.due
        and zombies == report.confirmed
        and (not report.complete or report.due + report.expired == asked)
        and report.confirmed <= report.gone
    )


def a_life(seed: int) -> Life:
    return Life(seed, a_design(seed))


def a_life_in_rooms(seed: int) -> RoomLife:
    return RoomLife(seed, a_design(seed, action=EvictAction.DELETE), list(Hold)[seed % len(Hold)])


def live_through_troubles(seed: int, size: int, make: Callable[[int], Life]) -> Life:
    """Clients come and go while everything lies and fails.

    The evictions themselves are watched by the world: it fails when a live one goes, or when one
    goes without its audit line.
    """
    life = make(seed)
    life.populate(size, until=1500)
    first = life.random.uniform(60, 2500)
    life.blips = blips(seed, first + 5 * INTERVAL)
    for n in range(life.random.randint(2, 5)):
        life.troubles = troubles(seed * 10 + n)
        if life.sweep_at(first + n * INTERVAL, in_daemon=life.random.random() < 0.8):
            assert adds_up(life.sweeps[-1])
    return life


def is_swept_clean_in_the_end(seed: int, size: int, make: Callable[[int], Life] = a_life) -> None:
    """Once the world is sane: within two sweeps, or by itself within the life of a socket."""
    life = live_through_troubles(seed, size, make)
    life.settle_down()
    for _ in range(2):
        life.sweep_at(life.moment + INTERVAL)
        assert adds_up(life.sweeps[-1])
    if life.sweeps[-1].hold_reason not in HELD_BY_NUMBERS:
        life.sweep_at(life.moment + INTERVAL)  # where a few were doubted for five minutes
        assert not life.zombies(since=3 * INTERVAL)
    assert life.most_calls_in_a_second() <= life.design.budget * 1.01 + 1
    if seed % 10 == 0:
        for _ in range(27):
            life.sweep_at(life.moment + INTERVAL)
        assert not life.zombies(since=OLDEST)


@pytest.mark.parametrize("block", range(8))
def test_no_live_connection_is_ever_evicted_and_every_zombie_is_once_the_world_is_sane(block):
    in_each_world(
        seeds(block),
        lambda seed: is_swept_clean_in_the_end(seed, random.Random(seed).randint(1, 30)),
    )


@pytest.mark.parametrize("block", range(2))
def test_the_same_where_rows_hold_many(block):
    """Members come and go also in the moment in which others are taken out of their row."""
    in_each_world(
        seeds(block),
        lambda seed: is_swept_clean_in_the_end(
            seed, random.Random(seed).randint(1, 30), a_life_in_rooms
        ),
    )


@pytest.mark.parametrize("size", [300, 1200])
def test_the_same_where_there_are_many(size):
    in_each_world(range(4), lambda seed: is_swept_clean_in_the_end(seed, size))


def is_sane_but_for_its_times(seed: int) -> None:
    choose = random.Random(f"times {seed}")
    life = Life(seed, a_design(seed, time=choose.choice(list(Time))))
    life.populate(choose.randint(1, 40), until=1500)
    first = choose.uniform(60, 2500)
    for n in range(4):
        life.troubles = Troubles(wrong_api=choose.random() < 0.2)
        life.sweep_at(first + n * INTERVAL, in_daemon=choose.random() < 0.7)
        assert adds_up(life.sweeps[-1])


@pytest.mark.parametrize("block", range(4))
def test_whatever_the_times_mean_no_live_connection_goes(block):
    """With a truthful gateway, and with the wrong API's too."""
    in_each_world(seeds(block), is_sane_but_for_its_times)


def lies_long_about_everybody(seed: int) -> None:
    choose = random.Random(f"long {seed}")
    life = Life(seed, a_design(seed, time=choose.choice([Time.TRUE, Time.NOTHING])))
    life.populate(choose.randint(1, 40), until=3000)
    endpoint = choose.choice(["", "other"])
    life.blips = [
        Blip(choose.uniform(0, 4000), choose.uniform(1, 9000), 1.0, (Outcome.GONE,), endpoint)
    ]
    for n in range(40 if seed % 10 == 0 else 12):
        life.sweep_at(500 + n * INTERVAL)
        assert adds_up(life.sweeps[-1])


@pytest.mark.parametrize("block", range(2))
def test_no_lie_about_everybody_evicts_a_live_connection_however_long_it_lasts(block):
    in_each_world(seeds(block), lies_long_about_everybody)


@pytest.mark.parametrize("mode", [HeartbeatMode.IDLE, HeartbeatMode.ALWAYS])
def test_no_healthy_client_falls_silent_for_ten_minutes(mode):
    for seed in range(100):
        life = Life(seed, a_design(seed, mode=mode, host_is_ahead_seconds=0.0))
        life.populate(12, until=5000)
        for n in range(26):
            life.troubles = Troubles(once_a_sweep=0.12)
            life.sweep_at(n * INTERVAL)
        assert life.lost_to_idle == [], f"in the world of seed {seed}"


def test_without_heartbeats_the_simulated_platform_does_close_idle_sockets():
    """Else the test above would prove nothing."""
    life = Life(1, a_design(1, mode=HeartbeatMode.OFF, expects_pongs=False))
    life.populate(12, until=500)
    for n in range(8):
        life.sweep_at(n * INTERVAL)
    assert life.lost_to_idle
