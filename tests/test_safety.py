"""The promises, kept in thousands of simulated worlds. A failure names the seed of its world."""

from __future__ import annotations

import random

import pytest

from reaper.core.breaker import HoldReason
from reaper.core.rules import EvictAction
from reaper.core.triage import HeartbeatMode
from tests.simulation import INTERVAL, Design, Life, Troubles
from tests.world import PromiseBroken

WORLDS_PER_TEST = 250


@pytest.fixture(autouse=True)
def _one_eviction_at_a_time(monkeypatch):
    """Threads would make worlds differ from run to run."""
    monkeypatch.setattr("reaper.removal.REMOVED_AT_ONCE", 1)
    monkeypatch.setattr("reaper.pongs.NOTED_AT_ONCE", 1)


def seeds(block: int) -> range:
    return range(block * WORLDS_PER_TEST, (block + 1) * WORLDS_PER_TEST)


def a_design(seed: int, **fixed) -> Design:
    choose = random.Random(f"design {seed}")
    keyed_by_user = choose.random() < 0.5
    expects_pongs = choose.random() < 0.3
    drawn = {
        "keyed_by_user": keyed_by_user,
        "stores_connected_at": choose.random() < 0.7,
        "misreads_age": choose.random() < 0.15,
        "stores_last_seen": expects_pongs or choose.random() < 0.6,
        "expects_pongs": expects_pongs,
        "action": choose.choice(list(EvictAction)[: 1 + keyed_by_user]),
        "mode": HeartbeatMode.IDLE if expects_pongs else choose.choice(list(HeartbeatMode)),
        "budget": choose.choice([5.0, 20.0, 200.0]),
    }
    return Design(**drawn | fixed)


def troubles(seed: int, design: Design) -> Troubles:
    """Some of everything that can go wrong, but two settings that are wrong at the same time.

    With another API's endpoint every connection looks gone, and with another attribute than the
    time of connection every row looks old: no answer reveals that. ``reaper check`` does.
    """
    choose = random.Random(f"troubles {seed}")
    return Troubles(
        no_answer=choose.choice([0, 0.05, 0.3]),
        denied=choose.choice([0, 0, 0.2]),
        throttled=choose.choice([0, 0, 0.1]),
        flapping=choose.choice([0, 0.1, 0.5]),
        table=choose.choice([0, 0, 0.1]),
        scan=choose.choice([0, 0, 0.3]),
        disk_is_full=choose.choice([0, 0, 0.3]),
        hook=choose.choice([0, 0, 0.3]),
        kill=choose.choice([0, 0, 0.4]),
        revoked=choose.random() < 0.1,
        wrong_api=choose.random() < 0.15 and not design.misreads_age,
        blackout=choose.random() < 0.05,
    )


def adds_up(report, *, is_complete: bool) -> bool:
    kinds = (report.newborn, report.fresh, report.expired, report.foreign, report.malformed)
    zombies = report.evicted + report.changed + report.held + report.failed
    return (
        report.scanned == sum(kinds) + report.due
        and zombies == report.confirmed + report.expired
        and (not is_complete or report.due == report.alive + report.confirmed + report.unknown)
        and report.confirmed <= report.gone
    )


def live_through_troubles(seed: int) -> Life:
    """Clients come and go while everything lies and fails; then the world becomes sane.

    The evictions themselves are watched by the world: it fails when a live one goes, or when one
    goes without its audit line.
    """
    life = Life(seed, a_design(seed))
    life.populate(life.random.randint(2, 18), until=1500)
    sweeps = life.random.randint(2, 5)
    first = life.random.uniform(60, 2500)
    for n in range(sweeps):
        life.troubles = troubles(seed * 10 + n, life.design)
        if life.sweep_at(first + n * INTERVAL, in_daemon=life.random.random() < 0.7):
            assert adds_up(life.sweeps[-1], is_complete=life.is_complete)
    return life


@pytest.mark.parametrize("block", range(8))
def test_no_live_connection_is_ever_evicted_and_every_zombie_is_once_the_world_is_sane(block):
    for seed in seeds(block):
        try:
            life = live_through_troubles(seed)
            life.settle_down()
            for _ in range(2):
                life.sweep_at(life.moment + INTERVAL)
                assert adds_up(life.sweeps[-1], is_complete=True)
            is_majority = life.sweeps[-1].hold_reason is HoldReason.TOO_MANY_GONE
            if not life.design.misreads_age and not is_majority:
                assert not life.zombies
            assert life.most_calls_in_a_second() <= life.design.budget * 1.01 + 1
        except (AssertionError, PromiseBroken) as error:
            raise AssertionError(f"in the world of seed {seed}") from error


@pytest.mark.parametrize("mode", [HeartbeatMode.IDLE, HeartbeatMode.ALWAYS])
def test_no_healthy_client_falls_silent_for_ten_minutes(mode):
    for seed in range(100):
        life = Life(seed, a_design(seed, mode=mode, misreads_age=seed % 5 == 0))
        life.populate(12, until=5000)
        for n in range(26):
            life.troubles = Troubles(
                no_answer=0.05, throttled=0.02, flapping=0.05, once_a_sweep=True
            )
            life.sweep_at(n * INTERVAL)
        assert life.lost_to_idle == [], f"in the world of seed {seed}"


def test_without_heartbeats_the_simulated_platform_does_close_idle_sockets():
    """Else the test above would prove nothing."""
    life = Life(1, a_design(1, mode=HeartbeatMode.OFF, expects_pongs=False))
    life.populate(12, until=500)
    for n in range(8):
        life.sweep_at(n * INTERVAL)
    assert life.lost_to_idle
