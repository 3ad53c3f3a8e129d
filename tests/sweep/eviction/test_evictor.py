"""What becomes of zombies: written down, told to hooks, removed on condition, and what stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest

from reaper.core.errors import AuditError, Refused, TableError
from reaper.core.events import HOOK_BATCH
from reaper.sweep.eviction.evictor import EVICTION_BATCH
from reaper.sweep.evidence.suspects import LAST_LOOK_HOLDS_SECONDS
from tests.support.small_worlds import a_world, adds_up
from tests.support.world import SHAPE, Slowly, World, at_once


def test_every_eviction_has_its_line_with_the_whole_old_row():
    world = World()
    world.add("live", alive=True)
    world.add("zombie", alive=False, nickname={"S": "Zed"})
    whole = dict(world.rows["zombie"])
    world.sweep()

    (entry,) = world.audit
    assert entry["audit"] == "evict"
    assert entry["item"] == whole
    assert (entry["reason"], entry["connection_id"]) == ("gone", "zombie")


def test_a_row_that_changed_since_it_was_read_stays():
    world = a_world()

    def reconnect(probe, moment):
        if probe.connection_id == "zombie-0" and moment > 60:
            world.rows["zombie-0"] = world.rows["zombie-0"] | {"lastSeenAt": {"N": "1795500001"}}

    world.on_answer = reconnect
    report = world.sweep()

    assert "zombie-0" in world.rows
    assert (report.confirmed, report.evicted, report.changed) == (5, 4, 1)
    assert "zombie-0" not in {entry["connection_id"] for entry in world.audit}
    assert adds_up(report)


def test_a_row_that_changes_after_it_was_audited_stays_and_the_log_says_so():
    world = a_world()
    write = world.write

    def write_then_touch(entries):
        write(entries)
        for entry in entries:
            if entry["connection_id"] == "zombie-0" and entry["audit"] == "evict":
                world.rows["zombie-0"] = world.rows["zombie-0"] | {"messageCount": {"N": "1"}}

    world.write = write_then_touch
    report = world.sweep()

    assert report.changed == 1
    assert [e["audit"] for e in world.audit if e["connection_id"] == "zombie-0"] == [
        "evict",
        "kept",
    ]


def test_a_full_disk_stops_evicting():
    world = a_world(zombies=8, audit_is_full=True)
    report = world.sweep()

    assert (report.evicted, report.failed, len(world.rows)) == (0, 8, 18)
    assert adds_up(report)


def test_a_row_that_was_gone_already_keeps_its_line():
    """Its delete may have succeeded, and only the answer was lost."""
    world = a_world()
    delete = world.delete_one

    def delete_twice(row):
        delete(row)
        return delete(row)

    world.delete_one = delete_twice
    report = world.sweep()

    assert report.evicted == 5
    assert {entry["audit"] for entry in world.audit} == {"evict"}


def test_after_a_failed_write_nothing_more_is_evicted_in_this_sweep():
    world = a_world(live=300, zombies=250)
    write, writes = world.write, iter([AuditError("No space left on device")])

    def fails_once(entries):
        if (error := next(writes, None)) is not None:
            raise error
        write(entries)

    world.write = fails_once
    report = world.sweep()

    assert (report.evicted, report.failed, len(world.rows)) == (0, 250, 550)


def test_a_revoked_delete_fails_the_evictions_and_loses_nothing():
    world = a_world(
        delete_fails=TableError("dynamodb:DeleteItem is not granted", refused=Refused.NOT_GRANTED)
    )
    report = world.sweep()

    assert (report.evicted, report.failed, len(world.rows)) == (0, 5, 15)
    assert {entry["audit"] for entry in world.audit} == {"evict", "kept"}


def test_the_hook_is_told_of_each_zombie_before_its_row_goes():
    world = a_world()
    rows_then = []

    def note(zombie):
        rows_then.append(zombie.row.connection_id in world.rows)

    world.hook_fails = note
    world.sweep()

    assert sorted(zombie.row.connection_id for zombie in world.told) == [
        f"zombie-{n}" for n in range(5)
    ]
    assert all(rows_then)


def test_a_zombie_whose_hook_fails_stays_and_the_others_go():
    world = a_world()
    world.hook_fails = lambda zombie: (
        RuntimeError("not today") if zombie.row.connection_id == "zombie-3" else None
    )
    report = world.sweep()

    assert set(world.rows) == world.alive | {"zombie-3"}
    assert (report.evicted, report.failed) == (4, 1)
    assert [line["audit"] for line in world.audit if line["connection_id"] == "zombie-3"] == [
        "evict",
        "kept",
    ]
    assert adds_up(report)


def test_a_hook_that_takes_the_row_away_itself_has_evicted_it():
    world = a_world()

    def takes_the_row(zombie):
        del world.rows[zombie.row.connection_id]

    world.hook_fails = takes_the_row
    report = world.sweep()

    assert (report.evicted, report.changed, report.failed) == (5, 0, 0)
    assert {line["audit"] for line in world.audit} == {"evict"}
    assert adds_up(report)


def test_where_a_whole_batch_fails_the_others_are_not_tried():
    world = a_world(live=1200, zombies=EVICTION_BATCH + 50)
    world.hook_fails = lambda zombie: RuntimeError("not today")
    report = world.sweep()

    assert (report.evicted, report.failed) == (0, EVICTION_BATCH + 50)
    assert len(world.told) <= EVICTION_BATCH
    assert adds_up(report)


def test_told_to_stop_amid_its_evictions_it_leaves_the_rest_for_the_next_sweep():
    world = a_world(live=100, zombies=90)
    world.beside = Slowly(world, {"on-evict": 20.0})
    world.stop_at = 150
    report = world.sweep()

    assert 0 < report.evicted < 90
    assert report.evicted + report.held + report.failed + report.pending == 90
    assert lines(world, "evict") - lines(world, "kept") == report.evicted
    assert len(world.rows) - 100 == 90 - report.evicted
    assert not report.complete
    assert adds_up(report)


def test_an_id_in_several_rows_is_told_once():
    world = World()
    world.add("live", alive=True)
    for name in ("a", "b", "c"):
        world.add(name, alive=False)
        world.rows[name]["connectionId"] = {"S": "shared"}
    world.key_name = "row"
    for name, row in world.rows.items():
        row["row"] = {"S": name}
    report = world.sweep(shape=replace(SHAPE, key_names=("row",)))

    assert (len(world.told), report.evicted) == (1, 3)


def lines(world: World, says: str) -> int:
    return sum(entry["audit"] == says for entry in world.audit)


def test_while_hooks_are_slow_the_sweep_tells_how_far_it_is():
    world, moments = World(), []
    for n in range(HOOK_BATCH * 3 + 40):
        world.add(f"c{n:03}", alive=n >= HOOK_BATCH * 3 - 20, silent=470)
    world.beside = Slowly(world, {"on-evict": 30.0})
    world.sweep(rate=10_000, on_progress=lambda _: moments.append(world.moment))
    assert len(world.told) == HOOK_BATCH * 3 - 20
    assert max(later - earlier for earlier, later in pairwise(moments)) < 10


@pytest.mark.parametrize("lane", ["on-evict", "evictions"])
@pytest.mark.parametrize("seconds", [3.0, 30.0, inf])
def test_whatever_hangs_the_probes_go_on(lane, seconds):
    """Zombies stand among the first rows, so that their evictions fall amid the probes."""
    world = World()
    for n in range(600):
        world.add(f"c{n:03}", alive=n % 5 != 0 or n > 100, silent=470)
    world.beside = Slowly(world, {lane: seconds})
    world.confirm_delay = 5.0
    report = world.sweep(rate=4, spread_seconds=150, question_seconds=285)

    asked_at = [moment for moment in world.sent_at if moment < 145]
    assert max(later - earlier for earlier, later in pairwise(asked_at)) < 1
    assert world.moment < 285 + 40
    assert report.alive == 579
    assert adds_up(report)


@pytest.mark.parametrize("lane", ["on-evict", "evictions"])
def test_what_hangs_for_ever_evicts_nobody_and_the_next_sweep_does(lane):
    world = a_world(live=60, zombies=50)
    world.beside = Slowly(world, {lane: inf})
    report = world.sweep(question_seconds=285)
    assert (report.evicted, len(world.rows)) == (0, 110)
    assert lines(world, "evict") == lines(world, "kept")
    assert adds_up(report)
    if lane == "on-evict":
        assert "the on-evict hook had not answered" in str(world.fault)
    else:
        assert "neither the audit log nor the table had answered" in str(world.fault)

    world.beside = at_once
    world.moment += 300
    assert world.sweep(question_seconds=285).evicted == 50
    assert set(world.rows) == world.alive


def test_hooks_that_are_too_slow_for_all_evict_as_many_as_there_is_time_for():
    world = a_world(live=300, zombies=200)
    world.beside = Slowly(world, {"on-evict": 30.0})
    report = world.sweep(question_seconds=285)
    assert 0 < report.evicted < 200
    assert report.evicted % HOOK_BATCH == 0
    assert (report.held, report.failed) == (0, 200 - report.evicted)
    assert "evictions had not begun when the sweep had to end" in str(world.fault)
    assert world.moment < 285 + 40
    assert lines(world, "evict") - lines(world, "kept") == report.evicted
    assert adds_up(report)


class Noting(World):
    """Notes how old the last look at each row is when it is written down."""

    def __init__(self, hook_seconds=10.0):
        super().__init__(beside=Slowly(self, {"on-evict": hook_seconds}))
        self.answered: defaultdict[str, list[float]] = defaultdict(list)
        self.written_at: list[float] = []
        self.ages: list[float] = []
        self.on_answer = lambda probe, now: self.answered[probe.connection_id].append(now)

    def write(self, entries):
        super().write(entries)
        for entry in entries:
            self.written_at.append(self.moment)
            self.ages.append(self.moment - self.answered[entry["connection_id"]][-1])


def test_a_row_that_waited_for_slow_hooks_is_looked_at_again_before_it_goes():
    world = Noting()
    for n in range(900):
        world.add(f"c{n:03}", alive=n % 3 > 0)
    report = world.sweep()

    assert report.evicted == 300
    assert set(world.rows) == world.alive
    assert max(world.written_at) - min(world.written_at) > 3 * LAST_LOOK_HOLDS_SECONDS
    assert max(world.ages) < LAST_LOOK_HOLDS_SECONDS + 1
    assert adds_up(report)


def test_rows_whose_lie_ends_while_they_wait_for_slow_hooks_stay():
    world, lie_ends_at = Noting(), 160.0
    for n in range(900):
        world.add(f"c{n:03}", alive=n % 3 > 0)
        world.born_at[f"c{n:03}"] = lie_ends_at
    report = world.sweep()

    assert 0 < report.evicted < 200
    assert max(world.written_at) < lie_ends_at + LAST_LOOK_HOLDS_SECONDS + 1
    assert adds_up(report)


def test_who_waits_for_slow_hooks_stays_where_the_gateway_contradicts_itself_meanwhile():
    """Although the last look at it is still a fresh one."""
    world = Noting(hook_seconds=5.0)
    world.page_every_seconds = 0.15
    for n in range(900):
        world.add(f"c{n:03}", alive=n % 3 > 0)
    world.born_at["c897"] = 100.0
    report = world.sweep()

    found_alive_at = next(at for at in world.answered["c897"] if at > 100.0)
    assert min(world.written_at) < found_alive_at
    after = [at - found_alive_at for at in world.written_at if at > found_alive_at]
    assert min(after) >= 2 * world.confirm_delay
    assert (report.evicted, adds_up(report)) == (299, True)


def test_a_panel_whose_rows_cannot_be_read_in_time_lets_nobody_go():
    """One of them has died since; whether with a goodbye only the table could tell."""
    world = a_world(live=10, zombies=5)
    world.on_answer = lambda probe, moment: world.alive.discard("live-0") if moment > 1 else None
    world.beside = Slowly(world, {"witnesses": inf})
    report = world.sweep(question_seconds=285)
    assert (report.evicted, report.pending > 0, len(world.rows)) == (0, True, 15)
    assert world.moment < 285 + 40


def test_where_the_scan_fails_amid_evictions_what_is_begun_is_brought_to_its_end():
    world = World(scan_fails_after=50, page_every_seconds=3.0)
    for n in range(600):
        world.add(f"c{n:03}", alive=n % 5 != 0 or n > 100, silent=470)
    world.confirm_delay = 5.0
    world.beside = Slowly(world, {"evictions": 2.0, "on-evict": 2.0})
    with pytest.raises(TableError):
        world.sweep(rate=1000)
    gone = 600 - len(world.rows)
    assert gone == lines(world, "evict") - lines(world, "kept") == world.tally.evicted > 0
