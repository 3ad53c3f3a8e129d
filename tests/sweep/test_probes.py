"""Who is asked, by a check or by a heartbeat, and what trouble on the way costs."""

from __future__ import annotations

import pytest

from reaper.core.evidence.activity import PAUSE_SECONDS
from reaper.core.model import Outcome
from reaper.core.triage import HeartbeatMode
from reaper.sweep import probes
from reaper.sweep.triage import MAX_BACKLOG, SLICE_ROWS
from tests.support.builders import NOW
from tests.support.small_worlds import OFF, a_world
from tests.support.world import World, rules


@pytest.mark.parametrize(
    ("mode", "silent", "active", "heartbeats"),
    [
        (HeartbeatMode.OFF, 470, 470, 0),
        (HeartbeatMode.IDLE, 470, 470, 1),
        (HeartbeatMode.IDLE, 100, 100, 0),
        (HeartbeatMode.IDLE, None, 470, 1),
        (HeartbeatMode.IDLE, None, 30, 0),
        (HeartbeatMode.ALWAYS, None, 30, 1),
    ],
)
def test_the_mode_says_who_gets_a_heartbeat(mode, silent, active, heartbeats):
    world = World()
    world.add("client", alive=True, silent=silent, active=active)
    report = world.sweep(triage=rules(heartbeat_mode=mode, fresh_seconds=0))

    assert report.heartbeats == world.heartbeats["client"] == heartbeats


@pytest.mark.parametrize("silent", [470, None])
def test_an_answer_that_is_lost_costs_nobody_the_heartbeat(silent):
    world = World()
    world.add("client", alive=True, silent=silent, active=470)
    world.lies["client"] = [Outcome.UNKNOWN]
    report = world.sweep()

    assert (world.heartbeats["client"], report.unknown) == (1, 0)


@pytest.mark.parametrize(
    "lies",
    [
        [Outcome.THROTTLED, Outcome.THROTTLED, Outcome.ALIVE],
        [Outcome.ALIVE, Outcome.UNKNOWN],
        [Outcome.ALIVE, Outcome.THROTTLED],
        [Outcome.UNKNOWN, Outcome.ALIVE, Outcome.UNKNOWN],
        [Outcome.GONE, Outcome.ALIVE],
        [Outcome.ALIVE, Outcome.GONE],
    ],
)
def test_no_trouble_on_the_way_costs_a_silent_socket_its_heartbeat(lies):
    world = World()
    world.add("silent", alive=True, active=470)
    world.lies["silent"] = list(lies)
    report = world.sweep()

    assert world.heartbeats["silent"] == report.heartbeats == 1


def test_a_suspect_that_turns_out_alive_gets_its_heartbeat():
    world = World()
    world.add("silent", alive=True, silent=400, active=400)
    world.lies["silent"] = [Outcome.GONE]
    world.sweep()

    assert world.heartbeats["silent"] == 1


def test_heartbeats_that_are_refused_are_counted():
    world = a_world(live=30, zombies=0, answers_posts=Outcome.DENIED)
    report = world.sweep()

    assert (report.alive, report.heartbeats, report.unknown) == (30, 0, 0)
    assert world.tally.heartbeats_refused == 30


def test_one_lost_answer_is_one_however_many_rows_it_is_about():
    world = World(page_size=100)
    for n in range(25):
        world.add(f"row-{n:02}", alive=True)
        world.rows[f"row-{n:02}"]["connectionId"] = {"S": "shared"}
    world.lies["shared"] = [Outcome.UNKNOWN] * 2
    for n in range(30):
        world.add(f"zz-{n:02}", alive=True)
    report = world.sweep(rate=50, triage=OFF)

    assert (report.alive, report.unknown) == (30, 25)


def test_a_clients_full_buffer_is_not_the_accounts_throttle():
    world = a_world(live=5, zombies=0)
    world.add("slow", alive=True, silent=470, active=1)
    world.lies["slow"] = [Outcome.THROTTLED]
    report = world.sweep()

    assert (report.throttled, report.alive) == (0, 6)
    assert world.asked["slow", "POST"] == 1
    assert world.asked["slow", "GET"] == 1


def test_an_account_that_is_throttled_slows_the_sweep_down_and_asks_again():
    world = a_world(live=100, zombies=0)
    for n in range(20):
        world.lies[f"live-{n}"] = [Outcome.THROTTLED]
    calm = a_world(live=100, zombies=0).sweep(rate=50, triage=OFF)
    report = world.sweep(rate=50, triage=OFF)

    assert (report.throttled, report.alive) == (0, 100)
    assert report.seconds > calm.seconds + 1


def test_a_platform_that_does_not_note_heartbeats_makes_nobody_be_pinged_in_every_sweep():
    world = World()
    world.add("silent", alive=True, active=600)
    note = world.on_answer

    def forget(probe, moment):
        world.last_active["silent"] = NOW - 600
        note(probe, moment)

    world.on_answer = forget
    for turn in range(13):
        world.pass_to(turn * 60)
        world.sweep(until_next_turn=90)
    assert 2 <= world.heartbeats["silent"] <= 3


def test_where_checks_themselves_count_as_activity_idle_sockets_get_their_heartbeats():
    world = World(gets_count=True)
    for n in range(4):
        world.add(f"silent-{n}", alive=True, active=470)
    for turn in range(4):
        world.pass_to(turn * 300)
        world.sweep(until_next_turn=450)
    assert all(world.heartbeats[name] >= 3 for name in world.alive)


def test_a_row_that_looks_newborn_and_is_known_from_before_gets_its_heartbeat():
    """Its time is a local one, some hours ahead."""
    world = World()
    world.add("silent", alive=True, age=-120, silent=470)
    world.sweep()
    assert world.heartbeats["silent"] == 1
    world.pass_to(world.moment + 150)
    report = world.sweep()

    assert (report.newborn, report.due) == (0, 1)


@pytest.mark.parametrize("mode", [HeartbeatMode.IDLE, HeartbeatMode.ALWAYS])
def test_posts_that_are_always_throttled_end_the_sweep_all_the_same(mode):
    world = World(answers_posts=Outcome.THROTTLED)
    for n in range(5):
        world.add(f"c{n}", alive=True, silent=470)
    report = world.sweep(triage=rules(heartbeat_mode=mode, fresh_seconds=0))
    assert report.alive == 5
    assert (report.heartbeats, len(world.rows)) == (0, 5)
    assert max(world.asked.values()) <= 4


@pytest.mark.parametrize("gets_count", [False, True])
def test_until_the_self_test_has_its_answer_only_so_many_wait_in_memory(monkeypatch, gets_count):
    monkeypatch.setattr(probes, "MAX_UNDECIDED", 20)
    world = World(gets_count=gets_count)
    for n in range(3000):
        world.add(f"client-{n}", alive=True, active=470)
    report = world.sweep()

    before_its_answer = [moment for moment in world.sent_at if moment < PAUSE_SECONDS]
    assert len(before_its_answer) < 20 + 2 * (MAX_BACKLOG + SLICE_ROWS)
    assert report.heartbeats == len(world.heartbeats) == 3000
