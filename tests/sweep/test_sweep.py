"""One sweep in a world without sockets: what it finds, what it does, and what it leaves alone."""

from __future__ import annotations

import gc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.errors import TableError
from reaper.core.evidence.breaker import HoldReason
from reaper.core.model import Outcome
from reaper.core.rows.reader import RowReader
from reaper.core.triage import HeartbeatMode
from reaper.sweep.sweep import Sweep
from tests.support.small_worlds import OFF, a_world, adds_up
from tests.support.world import World, rules


def test_zombies_are_evicted_and_live_rows_stay():
    world = a_world()
    report = world.sweep()

    assert set(world.rows) == world.alive
    assert {verb for _, verb in world.asked} == {"GET", "POST"}
    assert (report.alive, report.gone, report.confirmed, report.evicted) == (10, 5, 5, 5)
    assert report.hold_reason is None
    assert adds_up(report)


def test_a_table_that_vanishes_evicts_nothing():
    world = a_world(live=30, zombies=30, scan_fails_after=3)
    with pytest.raises(TableError):
        world.sweep()

    assert len(world.rows) == 60


def test_a_large_page_never_keeps_the_prober_from_sending(monkeypatch):
    world, read_page = a_world(live=5000, zombies=0, page_size=2500), RowReader.read_page

    def read_slowly(reader, items, now):
        world.pass_to(world.moment + 0.0001 * len(items))
        return read_page(reader, items, now)

    monkeypatch.setattr(RowReader, "read_page", read_slowly)
    world.sweep(rate=1000)

    gaps = [later - sooner for sooner, later in pairwise(world.sent_at)]
    assert len(gaps) >= 4999
    assert max(gaps) < 0.05


def test_told_to_stop_it_asks_nothing_more_and_evicts_nothing_unjudged():
    world = a_world(live=2000, zombies=10, stop_at=0.5)
    report = world.sweep(rate=100)

    assert len(world.rows) == 2010
    assert report.api_calls < 100
    assert world.moment < 1.0


def test_told_to_stop_it_leaves_suspects_for_the_next_sweep():
    world = a_world(live=0, zombies=100, stop_at=5.5)
    report = world.sweep(rate=50)

    assert (report.pending, report.confirmed, report.held) == (100, 0, 0)
    assert report.hold_reason is None
    assert len(world.rows) == 100
    assert adds_up(report)


def test_a_dry_run_changes_nothing_and_tells_what_it_would_do():
    world = a_world()
    world.add("silent", alive=True, silent=470)
    world.add("old", alive=True, age=99_999)
    report = world.sweep(dry_run=True)

    assert set(world.rows) == {f"live-{n}" for n in range(10)} | {"silent", "old"} | {
        f"zombie-{n}" for n in range(5)
    }
    assert not world.heartbeats
    assert not world.audit
    assert (report.evicted, report.heartbeats, report.dry_run) == (5, 0, True)
    assert {verb for _, verb in world.asked} == {"GET"}


def test_newborn_fresh_and_malformed_rows_are_never_asked():
    world = World()
    world.add("newborn", alive=False, age=10)
    world.add("fresh", alive=False, silent=10)
    world.add("..", alive=False)
    world.add("foreign", alive=False, endpoint={"S": "https://evil.example.com/prod"})
    report = world.sweep()

    assert not world.asked
    assert (report.newborn, report.fresh, report.malformed, report.foreign) == (1, 1, 1, 1)
    assert len(world.rows) == 4
    assert adds_up(report)


def test_an_id_in_several_rows_is_asked_once_for_all():
    world = World()
    world.add("live", alive=True)
    shared = {"connectionId": {"S": "shared"}, "connectedAt": world.rows["live"]["connectedAt"]}
    world.rows |= {"shared": shared, "shared-too": dict(shared)}
    report = world.sweep(triage=OFF)

    assert world.asked["shared", "GET"] == 3
    assert (report.due, report.gone, report.confirmed) == (3, 2, 2)


def test_an_endpoint_that_was_not_asked_does_not_keep_a_blind_sweep_going():
    world = a_world(live=2000, zombies=0, answers_all=Outcome.DENIED)
    other = "xyz789.execute-api.eu-west-1.amazonaws.com/prod"
    world.add("A-newborn-of-it=", alive=True, age=5, endpoint={"S": other})
    report = world.sweep()

    assert report.api_calls < 300


def test_one_blind_endpoint_does_not_cut_the_others_short():
    world = World(page_size=50)
    other = "xyz789.execute-api.eu-west-1.amazonaws.com/prod"
    for n in range(40):
        name = f"A-row-of-another-{n:02}="
        world.add(name, alive=True, endpoint={"S": other})
        world.lies[name] = [Outcome.DENIED]
    for n in range(60):
        world.add(f"b-{n:02}", alive=True)
    report = world.sweep(rate=100, triage=OFF)

    assert (report.alive, report.unknown) == (60, 40)
    assert 20 <= report.denied < 40
    assert report.hold_reason is HoldReason.DENIED
    assert adds_up(report)


@pytest.mark.parametrize(("unheard", "is_told"), [(4, False), (9, False), (10, True)])
def test_many_inconclusive_answers_are_told_though_nothing_is_held_for_them(unheard, is_told):
    """A firewall in front of the gateway: no zombie waits, and those clients get no heartbeat."""
    world = a_world(live=50, zombies=0)
    for n in range(unheard):
        world.lies[f"live-{n}"] = [Outcome.UNKNOWN] * 9
    report = world.sweep(triage=OFF)

    assert (report.unknown, report.hold_reason) == (unheard, None)
    assert (world.details.why_unheard is not None) == is_told


def test_messages_are_counted_on_live_rows_only():
    world = World()
    world.add("live", alive=True, age=600, messages=100)
    world.add("fresh", alive=True, age=150, silent=1, messages=7)
    world.add("zombie", alive=False, age=600, messages=1000)
    assert world.sweep().messages == 57


def test_a_spread_sweep_takes_its_time():
    world = a_world(live=100, zombies=0)
    report = world.sweep(rate=10, spread_seconds=60, triage=OFF)

    assert report.seconds == pytest.approx(10, abs=1)


@given(st.data())
def test_no_live_connection_is_ever_evicted(data):
    """Whatever rows say and the gateway answers, if it does not lie twice about the same id."""
    world = World(page_size=data.draw(st.integers(1, 20)))
    ages = st.none() | st.floats(0, 7200)
    for n in range(data.draw(st.integers(0, 40))):
        name = f"c{n}"
        alive = data.draw(st.booleans())
        world.add(
            name,
            alive=alive,
            age=data.draw(ages if alive else st.none() | st.floats(0, 20_000)),
            silent=data.draw(st.none() | st.floats(0, 9000)),
        )
        lies = data.draw(st.lists(st.sampled_from(Outcome), max_size=3))
        if alive and lies.count(Outcome.GONE) > 1:
            lies = [Outcome.GONE]
        world.lies[name] = lies
    report = world.sweep(triage=rules(heartbeat_mode=data.draw(st.sampled_from(HeartbeatMode))))

    assert world.alive <= set(world.rows)
    assert adds_up(report)


def test_a_sweep_leaves_no_cycle_of_references_behind():
    """Else the rows of each sweep would stay in memory until the garbage collector looks."""
    gc.collect()
    gc.disable()
    try:
        world = World()
        for n in range(30):
            world.add(f"c{n}", alive=n > 5, silent=470)
        before = len([one for one in gc.get_objects() if isinstance(one, Sweep)])
        world.sweep()
        after = len([one for one in gc.get_objects() if isinstance(one, Sweep)])
    finally:
        gc.enable()
    assert after == before
