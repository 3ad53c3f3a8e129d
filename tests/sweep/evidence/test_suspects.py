"""Suspects in a sweep: who goes, who stays, who waits, and for what."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from reaper.core.errors import TableError
from reaper.core.evidence.breaker import BreakerLimits, HoldReason
from reaper.core.model import Outcome
from tests.support.builders import NOW
from tests.support.small_worlds import OFF, a_world, adds_up
from tests.support.world import SHAPE, World

cases_module = sys.modules["reaper.sweep.evidence.cases"]


def test_a_zombie_is_asked_three_times_a_delay_apart():
    world = a_world()
    answered = []
    world.on_answer = lambda probe, moment: answered.append((probe.connection_id, moment))
    world.sweep(triage=OFF)

    first, second, third = (moment for name, moment in answered if name == "zombie-0")
    assert second - first >= 60
    assert third - second >= 60


@pytest.mark.parametrize(("confirm_delay", "seconds"), [(0.0, 0.6), (60.0, 125.0)])
def test_the_last_suspects_wait_no_longer_for_witnesses_than_between_strikes(
    confirm_delay, seconds
):
    world = a_world(confirm_delay=confirm_delay)
    world.sweep(triage=OFF)

    assert {name for name in world.rows if name.startswith("zombie")} == set()
    assert world.moment <= seconds


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


def test_who_waits_goes_in_the_same_sweep_when_later_pages_show_that_most_live():
    """At first every row that was read is gone; the living come minutes later."""
    world = World(page_size=30, page_every_seconds=200)
    for n in range(30):
        world.add(f"a{n:02}", alive=False, silent=470)
    for n in range(90):
        world.add(f"b{n:02}", alive=True, silent=470)
    report = world.sweep()
    assert (report.evicted, report.held, report.hold_reason) == (30, 0, None)
