"""What was lost before there was the evidence rule, each with its numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reaper.core.evidence.breaker import BreakerLimits, HoldReason
from reaper.core.model import Outcome
from reaper.core.rows.row_filter import parse_row_filter
from reaper.core.sweep_rules import EvictAction
from reaper.core.triage import HeartbeatMode
from tests.support.builders import EXECUTE_API, NOW
from tests.support.world import PONGS, SHAPE, World, rules

OFF = rules(heartbeat_mode=HeartbeatMode.OFF)
TRUST = BreakerLimits(0.5, 20, 0.2, trust_endpoint=True)


def local_time(age: float, hours: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(NOW - age, UTC) + timedelta(hours=hours)
    return {"S": moment.replace(tzinfo=None).isoformat()}


def test_a_local_time_without_a_zone_five_hours_west_takes_none_of_five_in_405():
    world = World()
    for n in range(405):
        world.add(f"c{n:03}", alive=n % 81 == 0, age=600)
        world.rows[f"c{n:03}"]["connectedAt"] = local_time(600, -5)
    report = world.sweep()

    assert world.alive <= set(world.rows)
    assert report.expired == 405
    assert report.hold_reason is HoldReason.AGE_CONTRADICTED
    assert world.memory.calibration.offset is not None
    assert world.memory.calibration.offset.seconds == 5 * 3600


def test_a_date_takes_none_of_three_in_603():
    world = World()
    for n in range(603):
        world.add(f"c{n:03}", alive=n % 201 == 0, age=600)
        world.rows[f"c{n:03}"]["connectedAt"] = {"S": "2026-11-23"}
    for _ in range(3):
        world.sweep()
    assert world.alive <= set(world.rows)


def test_the_time_of_the_first_log_in_takes_none_of_four_in_604():
    world = World(key_name="userId")
    for n in range(604):
        name = f"c{n:03}"
        world.add(name, alive=n % 151 == 0, age=600)
        world.rows[name] |= {"connectedAt": {"N": str(NOW - 1e6)}, "userId": {"S": name}}
    for _ in range(3):
        world.sweep(action=EvictAction.CLEAR, shape=replace(SHAPE, key_names=("userId",)))
    assert all("connectionId" in world.rows[name] for name in world.alive)


def of_api_gateway(world: World, names: list[str], *, alive: bool) -> None:
    for name in names:
        world.add(name, alive=alive, endpoint={"S": str(EXECUTE_API)})


def true_id(n: int) -> str:
    return f"R0oXAdfD0kwC{n:03}="


def test_ids_behind_a_prefix_are_malformed_and_none_of_twenty_goes_by_following_the_advice():
    world = World()
    of_api_gateway(world, [f"CONN#{true_id(n)}" for n in range(20)], alive=False)
    report = world.sweep(limits=TRUST)

    assert (report.malformed, report.evicted, len(world.rows)) == (20, 0, 20)


def test_ids_that_a_library_has_lower_cased_are_held_whoever_vouches_for_the_endpoint():
    world = World()
    of_api_gateway(world, [true_id(n).lower() for n in range(20)], alive=False)
    report = world.sweep(limits=TRUST)

    assert (report.held, report.evicted, len(world.rows)) == (20, 0, 20)
    assert report.hold_reason is HoldReason.UNPROVEN_ENDPOINT


def test_an_api_that_answers_410_for_twelve_seconds_amid_a_sweep_of_600_takes_nobody():
    world = World()
    for n in range(600):
        world.add(f"c{n:03}", alive=True, age=None)
    world.answer_to = lambda probe: Outcome.GONE if 10 < world.moment < 22 else Outcome.ALIVE
    report = world.sweep(rate=20, spread_seconds=150, question_seconds=285)

    assert (len(world.rows), report.evicted) == (600, 0)
    assert report.gone > 100


def test_thirty_silent_ones_that_meet_410_twice_are_not_lost_to_thirty_fresh_witnesses():
    world = World()
    for n in range(30):
        world.add(f"silent-{n}", alive=True, silent=400)
        world.lies[f"silent-{n}"] = [Outcome.GONE, Outcome.GONE]
        world.add(f"fresh-{n}", alive=True, silent=10)
    report = world.sweep()

    assert (len(world.rows), report.evicted) == (60, 0)


def test_nineteen_of_twenty_that_answer_410_twice_within_five_seconds_stay():
    world = World()
    for n in range(20):
        world.add(f"c{n:02}", alive=True, age=None)
    liars = {f"c{n:02}" for n in range(19)}

    def says(probe):
        is_lie = probe.connection_id in liars and world.moment < 7
        return Outcome.GONE if is_lie else Outcome.ALIVE

    world.answer_to = says
    report = world.sweep(triage=OFF)

    assert (len(world.rows), report.evicted) == (20, 0)


def test_ten_rows_that_look_a_hundred_seconds_old_while_connect_takes_nine_stay():
    world = World(confirm_delay=2, host_is_ahead_seconds=100)
    for n in range(20):
        world.add(f"live-{n}", alive=True, age=300)
    for n in range(10):
        world.add(f"unborn-{n}", alive=False, age=0)
        world.born_at[f"unborn-{n}"] = 9
    report = world.sweep(triage=OFF)

    assert (len(world.rows), report.evicted) == (30, 0)


def test_a_row_whose_filter_attribute_changes_between_scan_and_delete_stays():
    world = World()
    for n in range(5):
        world.add(f"live-{n}", alive=True, kind={"S": "connection"})
    world.add("zombie", alive=False, kind={"S": "connection"})
    shape = replace(SHAPE, row_filter=parse_row_filter("kind=connection"))

    def change(probe, moment):
        if moment > 60:
            world.rows["zombie"] = world.rows["zombie"] | {"kind": {"S": "user"}}

    world.on_answer = change
    report = world.sweep(shape=shape)

    assert (report.changed, report.evicted) == (1, 0)
    assert "zombie" in world.rows


def test_ten_thousand_of_forty_thousand_that_answer_only_410_from_some_moment_on_stay():
    world = World(page_size=1000)
    for n in range(40_000):
        world.add(f"c{n:05}", alive=True, age=None)
    asked = []

    def says(probe):
        asked.append(probe.connection_id)
        return Outcome.ALIVE if len(asked) <= 30_000 else Outcome.GONE

    world.answer_to = says
    report = world.sweep(triage=OFF, rate=20_000)

    assert (len(world.rows), report.evicted) == (40_000, 0)
    assert report.held == 10_000


@pytest.mark.parametrize("sweeps", [3, 5])
def test_nineteen_healthy_listeners_beside_one_talker_keep_their_sockets(sweeps):
    world = World()
    world.add("talker", alive=True, silent=470)
    world.pong_after["talker"] = 0.1
    for n in range(19):
        world.add(f"listener-{n}", alive=True, silent=470)
    for _ in range(sweeps):
        world.moment += 300
        world.sweep(triage=rules(heartbeat_mode=HeartbeatMode.ALWAYS, fresh_seconds=0), pong=PONGS)
    assert (world.closed, len(world.rows)) == ([], 20)
