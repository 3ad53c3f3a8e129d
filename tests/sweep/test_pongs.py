"""Deaf clients: who answers no heartbeat any more, and who must not be taken for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reaper.core.errors import Refused, TableError
from reaper.core.evidence.breaker import HoldReason
from reaper.core.model import Outcome
from reaper.core.triage import HeartbeatMode
from reaper.sweep.eviction.evictor import DEAF_BATCH
from tests.support.world import PONGS, SHAPE, World, rules

ALWAYS = rules(heartbeat_mode=HeartbeatMode.ALWAYS, fresh_seconds=0)
LATENCY_MARGIN = 0.1


def a_world(deaf: int = 1, healthy: int = 5) -> World:
    world = World()
    for n in range(healthy):
        world.add(f"healthy-{n}", alive=True, silent=470)
        world.pong_after[f"healthy-{n}"] = 0.1
    for n in range(deaf):
        world.add(f"deaf-{n}", alive=True, silent=470)
    return world


def sweep(world: World, *, after_seconds: float = 300, **changes):
    world.moment += after_seconds
    return world.sweep(triage=ALWAYS, pong=PONGS, **changes)


def adds_up(report) -> bool:
    return (
        report.due == report.alive + report.confirmed + report.unknown
        and report.evicted + report.changed + report.held + report.failed
        == report.confirmed + report.expired
    )


def test_a_client_that_misses_three_heartbeats_is_closed_and_evicted():
    world = a_world()
    reports = [sweep(world) for _ in range(3)]

    assert [report.evicted for report in reports] == [0, 0, 1]
    assert world.closed == ["deaf-0"]
    assert set(world.rows) == world.alive == {f"healthy-{n}" for n in range(5)}
    (line,) = world.audit
    assert (line["reason"], line["evidence"]["missed_pongs"]) == ("deaf", 3)
    assert all(adds_up(report) for report in reports)
    assert (reports[2].alive, reports[2].confirmed) == (5, 1)


def test_the_count_lives_on_the_row():
    world = a_world()
    sweep(world)
    assert world.rows["deaf-0"]["reaperMissedPongs"]["M"]["missed"] == {"N": "1"}
    assert "reaperMissedPongs" not in world.rows["healthy-0"]


def test_a_heartbeat_that_waited_for_the_self_test_is_counted_too():
    world = World()
    world.add("deaf", alive=True, silent=None, active=470)
    report = world.sweep(pong=PONGS)
    assert report.heartbeats == 1
    assert world.rows["deaf"]["reaperMissedPongs"]["M"]["missed"] == {"N": "1"}


def test_a_slow_client_that_answers_in_time_is_left_alone():
    world = a_world()
    world.pong_after["deaf-0"] = PONGS.timeout_seconds - LATENCY_MARGIN
    for _ in range(5):
        sweep(world)
    assert world.closed == []
    assert "deaf-0" in world.rows


def test_one_answer_in_between_starts_the_count_anew():
    world = a_world()
    for answers in (False, False, True, False, False):
        world.pong_after.pop("deaf-0", None)
        if answers:
            world.pong_after["deaf-0"] = 1
        sweep(world)
    assert world.closed == []
    assert world.rows["deaf-0"]["reaperMissedPongs"]["M"]["missed"] == {"N": "2"}


def test_a_reaper_that_was_down_for_an_hour_convicts_nobody_on_its_return():
    world = a_world()
    sweep(world)
    sweep(world)
    report = sweep(world, after_seconds=3600)

    assert (report.evicted, world.closed) == (0, [])
    assert world.rows["deaf-0"]["reaperMissedPongs"]["M"]["missed"] == {"N": "1"}


def test_where_nobody_answers_the_fault_is_not_the_clients():
    world = a_world(deaf=5, healthy=0)
    reports = [sweep(world) for _ in range(4)]

    assert reports[3].hold_reason is HoldReason.TOO_MANY_GONE
    assert (len(world.rows), world.closed) == (5, [])
    assert all(adds_up(report) for report in reports)
    assert reports[3].alive == 5


def test_many_deaf_clients_at_once_are_distrusted():
    world = a_world(deaf=30, healthy=20)
    reports = [sweep(world) for _ in range(3)]

    assert reports[2].hold_reason is HoldReason.TOO_MANY_GONE
    assert (len(world.rows), world.closed) == (50, [])


def test_a_gateway_that_cannot_be_trusted_closes_no_socket():
    world = a_world()
    for n in range(40):
        world.add(f"zombie-{n}", alive=False, silent=470)
    for _ in range(3):
        report = sweep(world)
    assert report.hold_reason is HoldReason.TOO_MANY_GONE
    assert (world.closed, len(world.rows)) == ([], 46)


@pytest.mark.parametrize(
    ("lie", "refused"), [(Outcome.DENIED, Refused.NOT_GRANTED), (Outcome.UNKNOWN, None)]
)
def test_a_socket_that_cannot_be_closed_keeps_its_row(lie, refused):
    world = a_world()
    sweep(world)
    sweep(world)
    world.lies["deaf-0"] = [Outcome.ALIVE, lie, lie]
    report = sweep(world)

    assert (report.evicted, report.failed) == (0, 1)
    assert world.fault.refused is refused
    assert "deaf-0" in world.rows
    assert [line["audit"] for line in world.audit] == ["evict", "kept"]
    assert adds_up(report)


def test_the_row_of_a_client_that_speaks_while_it_is_judged_stays():
    world = a_world()
    sweep(world)
    sweep(world)
    world.on_answer = lambda probe, moment: None
    write = world.write

    def speaks_then(entries):
        write(entries)
        world.rows["deaf-0"] = world.rows["deaf-0"] | {"lastSeenAt": {"N": "1795501000"}}

    world.write = speaks_then
    report = sweep(world)

    assert report.changed == 1
    assert "deaf-0" in world.rows


def test_a_table_that_fails_convicts_nobody():
    world = a_world()
    sweep(world)
    sweep(world)

    def fails(keys):
        raise TableError("the table is gone")

    world.read = fails
    report = sweep(world)

    assert (report.evicted, world.closed) == (0, [])
    assert isinstance(world.fault, TableError)


def test_a_reaper_that_has_to_go_convicts_nobody():
    world = a_world()
    sweep(world)
    sweep(world)
    world.stop_at = world.moment + 305
    report = sweep(world)

    assert (report.evicted, world.closed) == (0, [])
    assert world.rows["deaf-0"]["reaperMissedPongs"]["M"]["missed"] == {"N": "2"}


def test_without_pongs_nobody_is_expected_to_answer():
    world = a_world()
    for _ in range(5):
        world.moment += 300
        world.sweep(triage=ALWAYS)
    assert (world.closed, len(world.rows)) == ([], 6)
    assert "reaperMissedPongs" not in world.rows["deaf-0"]


def test_a_dry_run_expects_no_pong():
    world = a_world()
    for _ in range(4):
        sweep(world, dry_run=True)
    assert (world.closed, len(world.rows), world.audit) == ([], 6, [])


def two_rows_each(world: World, *names: str) -> World:
    """Each of these connections stands in two rows, of which the application touches one."""
    world.key_name = "row"
    for name in names:
        world.rows[f"{name}-too"] = {n: v for n, v in world.rows[name].items() if n != "lastSeenAt"}
    for key, row in world.rows.items():
        row["row"] = {"S": key}
    return world


@pytest.mark.parametrize("page_size", [1, 10])
def test_a_connection_in_several_rows_is_deaf_only_by_all_of_them(page_size):
    world = two_rows_each(a_world(deaf=0), *(f"healthy-{n}" for n in range(5)))
    world.page_size = page_size
    for _ in range(5):
        sweep(world, shape=replace(SHAPE, key_names=("row",)))
    assert (world.closed, len(world.rows)) == ([], 10)


def test_a_client_that_is_chatty_on_another_row_is_not_deaf():
    """That row is fresh, and so is left alone; only the other one gets the heartbeats."""
    world = two_rows_each(a_world(deaf=0, healthy=6), *(f"healthy-{n}" for n in range(5)))
    for _ in range(5):
        world.moment += 300
        for name in (f"healthy-{n}" for n in range(5)):
            world.rows[name]["lastSeenAt"] = {"N": str(world.wall_clock())}
        world.sweep(
            triage=rules(heartbeat_mode=HeartbeatMode.ALWAYS, newborn_grace_seconds=0),
            until_next_turn=1,
            pong=PONGS,
            shape=replace(SHAPE, key_names=("row",)),
        )
    assert (world.closed, len(world.rows)) == ([], 11)


def test_who_reconnects_has_not_answered_the_heartbeat_of_the_old_connection():
    """So it is no witness that the application notes pongs."""
    world = a_world(deaf=5, healthy=0)
    world.add("ann", alive=True, silent=470)
    world.key_name = "row"
    for key, row in world.rows.items():
        row["row"] = {"S": key}
    for n in range(4):

        def reconnect(probe, moment, n=n):
            if probe.connection_id.startswith("ann"):
                newer = {"connectionId": {"S": f"ann-{n}"}}
                world.rows["ann"] = world.rows["ann"] | newer
                world.alive.add(f"ann-{n}")

        world.on_answer = reconnect
        report = sweep(world, shape=replace(SHAPE, key_names=("row",)))

    assert report.hold_reason is HoldReason.TOO_MANY_GONE
    assert (world.closed, len(world.rows)) == ([], 6)


def test_an_index_that_cannot_show_a_pong_is_refused():
    shape = replace(SHAPE, projected=frozenset({"connectionId", "endpoint", "reaperMissedPongs"}))
    assert shape.missing == [("lastSeenAt",)]


def test_a_row_that_was_heard_of_since_the_last_heartbeat_but_one_speaks_for_its_connection():
    """Its client misses this pong, but has answered others; its sibling row never shows any."""
    world = two_rows_each(a_world(deaf=0, healthy=6), "healthy-0")
    for n in range(6):
        world.pong_after.pop("healthy-0", None)
        if n % 2:
            world.pong_after["healthy-0"] = 1
        sweep(world, shape=replace(SHAPE, key_names=("row",)))
    assert (world.closed, len(world.rows)) == ([], 7)


BY_ROW = replace(SHAPE, key_names=("row",))


def test_a_row_that_shows_life_at_the_recheck_saves_its_whole_connection():
    """Nothing is closed although the other row of the connection was not touched."""
    world = two_rows_each(a_world(healthy=10), "deaf-0")
    for _ in range(2):
        sweep(world, shape=BY_ROW)
    reads: list[int] = []

    def read(keys):
        reads.append(len(keys))
        if len(keys) == 2:  # both rows of the deaf one, and nobody else's: the recheck
            seen = {"lastSeenAt": {"N": str(world.wall_clock())}}
            world.rows["deaf-0-too"] = world.rows["deaf-0-too"] | seen
        return World.read(world, keys)

    world.read = read
    report = sweep(world, shape=BY_ROW)

    assert 2 in reads
    assert (report.changed, report.evicted, world.closed) == (2, 0, [])
    assert len(world.rows) == 12


def test_a_connection_of_which_a_row_is_gone_has_missed_no_pong():
    """Whoever removed it may be about to remove the others."""
    world = two_rows_each(a_world(healthy=5), "deaf-0")
    world.on_answer = lambda probe, moment: (
        world.rows.pop("deaf-0-too", None) if probe.connection_id == "deaf-0" else None
    )
    sweep(world, shape=BY_ROW)
    assert "reaperMissedPongs" not in world.rows["deaf-0"]


def test_more_deaf_clients_than_are_closed_at_a_time_all_go():
    world = a_world(deaf=DEAF_BATCH + 2, healthy=300)
    reports = [sweep(world) for _ in range(3)]
    assert reports[2].evicted == DEAF_BATCH + 2 == len(world.closed)
    assert len(world.rows) == 300
