"""One sweep in a world without sockets: what it finds, what it does, and what it leaves alone."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.errors import TableAccessDenied, TableError
from reaper.core.events import HOOK_BATCH
from reaper.core.evidence.breaker import BreakerLimits, HoldReason
from reaper.core.model import Outcome
from reaper.core.triage import HeartbeatMode
from reaper.sweep.eviction.evictor import EVICTION_BATCH
from reaper.sweep.sweep import Sweep
from tests.support.builders import NOW
from tests.support.world import SHAPE, World, rules

cases_module = sys.modules["reaper.sweep.evidence.cases"]

OFF = rules(heartbeat_mode=HeartbeatMode.OFF)


def a_world(live: int = 10, zombies: int = 5, **changes) -> World:
    world = World(**changes)
    for n in range(live):
        world.add(f"live-{n}", alive=True)
    for n in range(zombies):
        world.add(f"zombie-{n}", alive=False)
    return world


def adds_up(report) -> bool:
    kinds = (report.newborn, report.fresh, report.expired, report.foreign, report.malformed)
    asked = report.alive + report.confirmed + report.unknown + report.pending
    return (
        report.scanned == sum(kinds) + report.due
        and report.evicted + report.changed + report.held + report.failed == report.confirmed
        and (not report.complete or report.due + report.expired == asked)
        and report.confirmed <= report.gone
    )


def test_zombies_are_evicted_and_live_rows_stay():
    world = a_world()
    report = world.sweep()

    assert set(world.rows) == world.alive
    assert {verb for _, verb in world.asked} == {"GET", "POST"}
    assert (report.alive, report.gone, report.confirmed, report.evicted) == (10, 5, 5, 5)
    assert report.hold_reason is None
    assert adds_up(report)


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


def test_a_zombie_is_asked_three_times_a_delay_apart():
    world = a_world()
    answered = []
    world.on_answer = lambda probe, moment: answered.append((probe.connection_id, moment))
    world.sweep(triage=OFF)

    first, second, third = (moment for name, moment in answered if name == "zombie-0")
    assert second - first >= 60
    assert third - second >= 60


def test_a_suspect_that_answers_after_all_stays():
    world = a_world()
    world.lies["live-3"] = [Outcome.GONE]
    report = world.sweep()

    assert "live-3" in world.rows
    assert (report.gone, report.confirmed, report.alive) == (6, 5, 10)
    assert adds_up(report)


@pytest.mark.parametrize("second", [Outcome.UNKNOWN, Outcome.DENIED])
def test_a_suspect_whose_second_answer_is_inconclusive_stays(second):
    world = a_world()
    world.lies["zombie-0"] = [Outcome.GONE, second, second]
    report = world.sweep()

    assert "zombie-0" in world.rows
    assert (report.gone, report.confirmed, report.unknown) == (5, 4, 1)
    assert adds_up(report)


def test_a_row_without_a_timestamp_waits_until_connect_must_be_over():
    world = World(confirm_delay=1)
    for n in range(5):
        world.add(f"live-{n}", alive=True)
    world.add("unborn", alive=False, age=None)
    world.born_at["unborn"] = 29
    report = world.sweep()

    assert "unborn" in world.rows
    assert report.seconds >= 30


def test_another_apis_endpoint_evicts_nothing():
    world = a_world(answers_all=Outcome.GONE)
    before = set(world.rows)
    report = world.sweep()

    assert set(world.rows) == before
    assert report.hold_reason is HoldReason.UNPROVEN_ENDPOINT
    assert (report.held, report.evicted) == (15, 0)
    assert adds_up(report)


@pytest.mark.parametrize("where", ["newborn", "fresh"])
def test_rows_that_were_left_alone_are_witnesses_where_there_is_no_other(where):
    world = a_world(live=0, zombies=5)
    world.add("calm", alive=True, age=10 if where == "newborn" else 600, silent=10)
    report = world.sweep()

    assert (report.evicted, report.hold_reason) == (5, None)
    assert (getattr(report, where), report.alive) == (1, 0)
    assert world.asked["calm", "GET"] >= 1
    assert adds_up(report)


def test_witnesses_are_not_called_where_nothing_hangs_on_them():
    world = a_world(live=10, zombies=0)
    world.add("calm", alive=True, silent=10)
    world.sweep()

    assert world.asked["calm", "GET"] == 0


def test_the_wrong_api_has_no_witnesses():
    world = a_world(live=0, zombies=5, answers_all=Outcome.GONE)
    world.add("calm", alive=True, silent=10)
    report = world.sweep()

    assert (report.hold_reason, report.evicted) == (HoldReason.UNPROVEN_ENDPOINT, 0)
    assert "calm" in world.rows


def test_trust_lifts_that_hold():
    world = a_world(live=0, zombies=3)
    report = world.sweep(limits=BreakerLimits(0.5, 20, 0.2, trust_endpoint=True))

    assert (report.hold_reason, report.evicted) == (None, 3)


def test_too_many_zombies_are_held():
    world = a_world(live=10, zombies=30)
    report = world.sweep()

    assert report.hold_reason is HoldReason.TOO_MANY_GONE
    assert (report.held, report.evicted, len(world.rows)) == (30, 0, 40)


def test_a_sweep_that_is_denied_everything_is_cut_short():
    world = a_world(live=5000, zombies=0, answers_all=Outcome.DENIED)
    report = world.sweep()

    assert report.hold_reason is HoldReason.DENIED
    assert 20 <= report.denied == report.unknown < 200
    assert report.scanned < 1000


def test_a_hold_ends_by_itself_within_two_hours_and_five_minutes():
    """Without any honest answer, and whatever the rows say of their age."""
    world = World(answers_all=Outcome.GONE)
    for n in range(30):
        world.add(f"silent-{n}", alive=False, age=None)
    for turn in range(25):
        world.pass_to(turn * 300)
        report = world.sweep(question_seconds=285)
        assert (report.hold_reason, report.held) == (HoldReason.UNPROVEN_ENDPOINT, 30)
    world.pass_to(7501)
    report = world.sweep(question_seconds=285)

    assert (report.evicted, len(world.rows), report.hold_reason) == (30, 0, None)
    assert {line["reason"] for line in world.audit} == {"expired"}
    assert adds_up(report)


def test_expired_rows_are_asked_like_all_others():
    world = World()
    for n in range(600):
        world.add(f"live-{n}", alive=True)
    for n in range(100):
        world.add(f"old-{n}", alive=False, age=7600)
    report = world.sweep()

    assert (report.expired, report.evicted) == (100, 100)
    assert all(world.asked[f"old-{n}", "GET"] >= 2 for n in range(100))


def test_where_living_rows_bear_the_time_out_expired_rows_go_however_many_they_are():
    world = World()
    for n in range(5):
        world.add(f"live-{n}", alive=True, age=300 + n)
    for n in range(500):
        world.add(f"old-{n}", alive=False, age=7600)
    report = world.sweep(triage=OFF)

    assert (report.evicted, report.hold_reason) == (500, None)
    assert set(world.rows) == world.alive
    assert max(world.asked[f"old-{n}", "GET"] for n in range(500)) == 2


def test_a_large_table_that_is_mostly_dead_is_held():
    world = World(page_every_seconds=0.01)
    for n in range(2000):
        world.add(f"c{n * 7919 % 2000:04}", alive=n % 5 == 0, age=None)
    report = world.sweep(triage=OFF)

    assert (report.hold_reason, report.evicted) == (HoldReason.TOO_MANY_GONE, 0)
    assert len(world.rows) == 2000
    assert adds_up(report)


def test_no_row_waits_for_room_among_the_suspects_and_the_next_sweep_finds_the_others(monkeypatch):
    monkeypatch.setattr(cases_module, "MAX_CASES", 50)
    world = a_world(live=300, zombies=200)
    report = world.sweep(triage=OFF, question_seconds=285)
    assert (report.evicted, report.pending, report.alive) == (50, 150, 300)
    assert adds_up(report)
    for _ in range(3):
        world.pass_to(world.moment + 300)
        world.sweep(triage=OFF, question_seconds=285)
    assert set(world.rows) == world.alive


def test_living_rows_that_are_too_old_show_that_the_time_is_another():
    world = World()
    for n in range(50):
        world.add(f"old-{n:02}", alive=n == 7, age=7600)
    world.opened_at["old-07"] = NOW - 600
    report = world.sweep()

    assert report.hold_reason is HoldReason.AGE_CONTRADICTED
    assert (report.expired, report.held, report.evicted) == (50, 49, 0)
    assert len(world.rows) == 50
    assert adds_up(report)


def test_connections_whose_age_is_misread_still_get_their_heartbeats():
    world = World(page_every_seconds=0.1)
    for n in range(60):
        world.add(f"old-{n:02}", alive=True, age=99_999)
    world.sweep()

    assert set(world.heartbeats) == world.alive


def test_an_expired_row_does_not_go_against_its_own_answer():
    world = World()
    for n in range(3):
        world.add(f"live-{n}", alive=True)
    for n in range(30):
        world.add(f"old-{n:02}", alive=False, age=7600)
    world.lies["old-07"] = [Outcome.UNKNOWN, Outcome.UNKNOWN]
    world.lies["old-08"] = [Outcome.GONE, Outcome.UNKNOWN, Outcome.UNKNOWN]
    report = world.sweep()

    assert set(world.rows) == {*world.alive, "old-07", "old-08"}
    assert (report.evicted, report.unknown, report.hold_reason) == (28, 2, None)
    assert adds_up(report)


def test_where_all_answers_are_inconclusive_evictions_are_held():
    world = World(answers_all=Outcome.UNKNOWN)
    for n in range(10):
        world.add(f"old-{n}", alive=True, age=7600)
    report = world.sweep()

    assert (report.hold_reason, report.unknown) == (HoldReason.TOO_MANY_UNKNOWN, 10)


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
    write, writes = world.write, iter([OSError(28, "No space left on device")])

    def fails_once(entries):
        if (error := next(writes, None)) is not None:
            raise error
        write(entries)

    world.write = fails_once
    report = world.sweep()

    assert (report.evicted, report.failed, len(world.rows)) == (0, 250, 550)


def test_a_revoked_delete_fails_the_evictions_and_loses_nothing():
    world = a_world(delete_fails=TableAccessDenied("dynamodb:DeleteItem is not granted"))
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

    def takes_a_while(zombie):
        world.moment += 1

    world.hook_fails = takes_a_while
    world.stop_at = 150
    report = world.sweep()

    assert 0 < report.evicted < 90
    assert report.evicted + report.held + report.pending == 90
    kept = [line for line in world.audit if line["audit"] == "kept"]
    assert len(kept) == report.held
    assert len(world.rows) - 100 == report.held + report.pending
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


def test_a_table_that_vanishes_evicts_nothing():
    world = a_world(live=30, zombies=30, scan_fails_after=3)
    with pytest.raises(TableError):
        world.sweep()

    assert len(world.rows) == 60


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


def test_one_rows_rejected_id_holds_nobody_else_up():
    world = a_world()
    world.add("__count__", alive=False)
    world.lies["__count__"] = [Outcome.REJECTED] * 9
    report = world.sweep()

    assert (report.evicted, report.unknown, report.hold_reason) == (5, 1, None)
    assert set(world.rows) == {*world.alive, "__count__"}
    assert adds_up(report)


def test_a_dry_run_asks_suspects_as_often_as_a_real_sweep():
    asked = []
    for dry_run in (True, False):
        world = a_world()
        report = world.sweep(dry_run=dry_run, triage=OFF)
        asked.append(dict(world.asked))
        assert (report.evicted, report.gone) == (5, 5)
    assert asked[0] == asked[1]


def test_a_gateway_that_contradicts_itself_is_not_believed_until_it_has_begun_anew():
    world = World(page_every_seconds=10)
    for n in range(20):
        world.add(f"live-{n}", alive=True)
    for n in range(5):
        world.add(f"zombie-{n}", alive=False)
    world.lies["live-3"] = [Outcome.GONE, Outcome.GONE]
    answered = []
    world.on_answer = lambda probe, moment: answered.append((probe.connection_id, moment))
    report = world.sweep(triage=OFF)

    assert set(world.rows) == world.alive
    assert report.evicted == 5
    last = max(moment for name, moment in answered if name == "zombie-0")
    assert last >= 240, "its strikes were begun anew when live-3 answered 200"


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


def test_where_there_are_more_suspects_than_can_be_remembered_the_others_wait(monkeypatch):
    monkeypatch.setattr(sys.modules["reaper.core.evidence.suspect_store"], "MAX_SUSPECTS", 3)
    world = a_world()
    report = world.sweep()

    assert (report.evicted, report.pending) == (3, 2)
    assert adds_up(report)
    assert world.sweep().evicted == 2


def test_what_one_of_several_apis_says_is_no_witness_for_another():
    world = World()
    for n in range(30):
        world.add(f"live-{n}", alive=True)
        world.add(f"other-{n}", alive=True, endpoint={"S": "https://other.example.com/prod"})

    def says(probe):
        return Outcome.GONE if probe.endpoint.host.startswith("other") else Outcome.ALIVE

    world.answer_to = says
    for turn in range(10):
        world.pass_to(turn * 300)
        report = world.sweep(triage=OFF, question_seconds=285)

    assert (len(world.rows), report.held) == (60, 30)
    assert report.hold_reason is HoldReason.UNPROVEN_ENDPOINT


@pytest.mark.parametrize("who", ["panel member", "second row"])
def test_a_suspect_that_answers_200_to_whatever_question_is_acquitted(who):
    world = World()
    for n in range(15):
        world.add(f"live-{n:02}", alive=True)
    shape = SHAPE
    if who == "second row":
        world.key_name, shape = "row", replace(SHAPE, key_names=("row",))
        world.add("live-99", alive=True)
        world.rows["live-99"]["connectionId"] = {"S": "live-07"}
        for name, row in world.rows.items():
            row["row"] = {"S": name}
        world.page_size = 1
    world.sweep(triage=OFF, shape=shape)
    said = []

    def says(probe):
        if probe.connection_id != "live-07":
            return Outcome.ALIVE
        said.append(probe.purpose.value)
        is_lie = said[-1] == "suspect" or len(said) == 1
        return Outcome.GONE if is_lie else Outcome.ALIVE

    world.answer_to = says
    world.pass_to(300)
    report = world.sweep(triage=OFF, shape=shape)

    assert "live-07" in world.rows
    assert {"panel", "due"} & set(said[1:]), "it was asked otherwise too"
    assert adds_up(report)


def test_everybody_who_could_sit_in_a_panel_has_left_and_the_sweep_ends():
    """A deployment: all come back with new ids, and a few rows stay behind."""
    world = World(stop_at=5000)
    for n in range(60):
        world.add(f"before-{n:02}", alive=True, silent=10)

    def all_come_back(probe, moment):
        if moment > 100 and "before-00" in world.rows:
            for n in range(60):
                world.alive.discard(f"before-{n:02}")
                del world.rows[f"before-{n:02}"]
                world.add(f"after-{n:02}", alive=True, age=0)

    for n in range(3):
        world.add(f"zombie-{n}", alive=False)
    world.on_answer = all_come_back
    report = world.sweep(triage=OFF)

    assert report.complete
    assert report.api_calls < 1000
    assert adds_up(report)


def test_a_table_that_cannot_be_read_for_a_panel_breaks_nothing_off():
    world = a_world(live=40)
    world.sweep(triage=OFF)
    for n in range(10):
        world.alive.discard(f"live-{n}")
    read = world.read

    def fails_for_panels(keys):
        if world.memory.endpoints and not world.audit[5:]:
            raise TableError("the table is throttled")
        return read(keys)

    world.read = fails_for_panels
    world.pass_to(300)
    report = world.sweep(triage=OFF)

    assert report.complete
    assert report.failed == 10
    assert adds_up(report)


def test_neither_a_host_clock_that_is_set_right_nor_one_wrong_date_makes_rows_old():
    world = World(host_is_ahead_seconds=-9000)
    for n in range(40):
        world.add(f"live-{n}", alive=True, age=600 + n)
    world.sweep(triage=OFF)
    assert world.memory.calibration.is_calibrated
    world.host_is_ahead_seconds = 0
    world.memory.calibration.learn_clock(world.wall_clock() + 9000, world.clock())
    world.answers_all = Outcome.GONE
    world.pass_to(300)
    report = world.sweep(triage=OFF)

    assert (report.evicted, len(world.rows)) == (0, 40)


def test_a_hold_of_a_whole_sweep_does_not_outlive_the_change_to_portions():
    world = a_world(live=10, zombies=30)
    world.sweep(triage=OFF)
    (state,) = world.memory.endpoints.values()
    assert state.findings.last_harvest.dead == 30
    state.begin_sweep()
    state.counts.alive = 500
    state.end_sweep(is_of_table=False)
    assert state.findings.last_harvest.dead == 0


def test_at_a_tenth_of_a_request_a_second_zombies_still_go():
    world = a_world(live=10, zombies=2)
    report = world.sweep(triage=OFF, rate=0.1)

    assert (report.evicted, report.hold_reason) == (2, None)
    assert report.api_calls < 100


def test_a_user_who_has_come_back_does_not_go_by_the_time_of_another_connection():
    """Three new users bear the time out; the fourth has a new id beside the time of an old one."""
    world = World(key_name="userId")
    for n in range(4):
        name = f"user-{n}"
        world.add(name, alive=True, age=600)
        world.rows[name]["userId"] = {"S": f"key-{n}"}
    world.rows = {row["userId"]["S"]: row for row in world.rows.values()}
    world.rows["key-3"]["connectedAt"] = {"N": str(NOW - 1e6)}
    world.lies["user-3"] = [Outcome.GONE, Outcome.GONE]
    world.sweep(triage=OFF, shape=replace(SHAPE, key_names=("userId",)))

    assert "key-3" in world.rows


def test_a_member_of_a_panel_that_says_410_and_at_once_200_voids_all_strikes():
    world = a_world()
    answered, lied = [], []
    truth = world.answer_to

    def says(probe):
        if probe.purpose.value == "panel" and not lied:
            lied.append(probe.connection_id)
            return Outcome.GONE
        return truth(probe)

    world.answer_to = says
    world.on_answer = lambda probe, moment: answered.append((probe.connection_id, moment))
    report = world.sweep(triage=OFF)

    assert report.evicted == 5
    assert max(moment for name, moment in answered if name == "zombie-0") >= 240


def test_a_200_of_its_own_leaves_nothing_of_the_strikes_before_it():
    world = a_world(live=30, zombies=0)
    world.lies["live-3"] = [Outcome.GONE]
    world.sweep(triage=OFF)
    assert len(world.memory.suspects) == 0
    world.pass_to(300)
    world.lies["live-3"] = [Outcome.GONE, Outcome.GONE]
    report = world.sweep(triage=OFF)

    assert "live-3" in world.rows
    assert report.gone == 1


def test_thirty_zombies_beside_many_fresh_rows_are_no_harvest_to_be_held():
    world = World(page_size=50)
    for n in range(400):
        world.add(f"fresh-{n:03}", alive=True, silent=10)
    for n in range(10):
        world.add(f"live-{n}", alive=True)
    for n in range(30):
        world.add(f"zombie-{n}", alive=False)
    report = world.sweep(triage=OFF)

    assert (report.fresh, report.evicted, report.hold_reason) == (400, 30, None)


@pytest.mark.parametrize("mode", [HeartbeatMode.IDLE, HeartbeatMode.ALWAYS])
def test_posts_that_are_always_throttled_end_the_sweep_all_the_same(mode):
    world = World(answers_posts=Outcome.THROTTLED)
    for n in range(5):
        world.add(f"c{n}", alive=True, silent=470)
    report = world.sweep(triage=rules(heartbeat_mode=mode, fresh_seconds=0))
    assert report.alive == 5
    assert (report.heartbeats, len(world.rows)) == (0, 5)
    assert max(world.asked.values()) <= 4


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


def test_slow_hooks_show_signs_of_life_and_the_sweep_goes_on():
    world, signs = World(), []
    for n in range(HOOK_BATCH * 3 + 40):
        world.add(f"c{n:03}", alive=n >= HOOK_BATCH * 3 - 20, silent=470)
    world.sign_of_life = lambda: signs.append(len(world.told))
    world.sweep(rate=10_000)
    assert len(world.told) == HOOK_BATCH * 3 - 20
    assert {0, HOOK_BATCH} <= set(signs)


def test_who_waits_goes_in_the_same_sweep_when_later_pages_show_that_most_live():
    """At first every row that was read is gone; the living come minutes later."""
    world = World(page_size=30, page_every_seconds=200)
    for n in range(30):
        world.add(f"a{n:02}", alive=False, silent=470)
    for n in range(90):
        world.add(f"b{n:02}", alive=True, silent=470)
    report = world.sweep()
    assert (report.evicted, report.held, report.hold_reason) == (30, 0, None)
