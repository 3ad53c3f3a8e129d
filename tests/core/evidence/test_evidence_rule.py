"""The evidence rule, clause by clause, and in worlds of its own."""

from __future__ import annotations

import random
from math import inf

import pytest

from reaper.core.evidence.evidence_rule import EvidenceRules, Next, Standing, Suspect, next_step
from reaper.core.platform import CONNECT_MAY_TAKE_SECONDS
from tests.support.rule_world import Blip, RuleWorld

DELAY, OLDEST = 60.0, 7500.0
RULES = EvidenceRules(DELAY, OLDEST)
LIVELY = Standing(alive_at=1e6, panel_at=1e6, may_call_witnesses=True)
"""Somebody else has always just answered 200, and a panel has just sat."""


def struck(*strikes: float, voids: int = 0) -> Suspect:
    return Suspect(strikes[0], strikes[-1], voids, strikes)


def again(suspect: Suspect, at: float, standing: Standing = LIVELY, born_at=-1000.0) -> Suspect:
    suspect.add_410(at, at, standing, RULES, born_at)
    return suspect


def step_of(suspect: Suspect, now: float, born_at=-1000.0, rules=RULES, **standing):
    return next_step(suspect, LIVELY._replace(**standing), rules, now, born_at)


# 1. Strikes


def test_the_first_410_is_a_strike_without_a_witness():
    assert Suspect.after_410(0, 1, Standing()).strikes == (1,)


@pytest.mark.parametrize(("alive_at", "strikes"), [(0, 1), (5, 1), (6, 2)])
def test_the_next_is_one_only_if_another_answered_200_since(alive_at, strikes):
    suspect = again(struck(5.0), 100, LIVELY._replace(alive_at=alive_at))
    assert len(suspect.strikes) == strikes
    assert suspect.last_410_at == 100


def test_a_410_that_comes_too_early_is_none():
    assert again(struck(0.0), DELAY - 1).strikes == (0.0,)
    assert again(struck(0.0), DELAY).strikes == (0.0, DELAY)


def test_without_a_witness_since_one_is_called_and_without_any_it_waits():
    assert step_of(struck(0.0), 60, alive_at=0).what is Next.WITNESS
    assert step_of(struck(0.0), 60, alive_at=0, may_call_witnesses=False).what is Next.WAIT


# 2. Three of them


def test_it_is_looked_at_after_one_delay_and_after_another():
    assert step_of(struck(0.0), 10) == (Next.LOOK, DELAY)
    assert step_of(struck(0.0, 70.0), 80) == (Next.LOOK, 70 + DELAY)


def test_three_strikes_convict():
    suspect = again(struck(0.0, 60.0), 120)
    assert suspect.strikes == (0.0, 60.0, 120)
    assert step_of(suspect, 120, panel_at=119).what is Next.CONVICT


@pytest.mark.parametrize(
    ("born_at", "from_at"),
    [(None, 30), (-5.0, 30), (-29.0, 30), (-30.0, 2), (-1000.0, 2)],
)
def test_thirty_seconds_lie_between_first_and_third_unless_it_cannot_be_newborn(born_at, from_at):
    rules = EvidenceRules(1, OLDEST)
    step = step_of(struck(0.0, 1.0), 2, born_at=born_at, rules=rules, panel_at=2)
    assert max(step.at, 2) == from_at
    suspect = struck(0.0, 1.0)
    suspect.add_410(from_at - 0.1, from_at - 0.1, LIVELY, rules, born_at)
    assert len(suspect.strikes) == 2
    suspect.add_410(from_at, from_at, LIVELY, rules, born_at)
    assert len(suspect.strikes) == 3


# 4. Harvest


def test_where_half_of_a_few_would_go_it_takes_five_delays():
    assert step_of(struck(0.0, 60.0), 120, is_slow=True, panel_at=120) == (Next.LOOK, 5 * DELAY)
    assert len(again(struck(0.0, 60.0), 299, LIVELY._replace(is_slow=True)).strikes) == 2
    assert len(again(struck(0.0, 60.0), 300, LIVELY._replace(is_slow=True)).strikes) == 3


@pytest.mark.parametrize("strikes", [(0.0, 60.0), (0.0, 60.0, 120.0)])
def test_where_its_endpoint_is_held_it_waits(strikes):
    assert step_of(struck(*strikes), 130, is_held=True, panel_at=119).what is Next.WAIT


@pytest.mark.parametrize("doubt", [{"is_held": True}, {"is_slow": True}])
def test_fresh_rows_are_weighed_before_that(doubt):
    assert step_of(struck(0.0, 60.0), 120, may_weigh=True, **doubt).what is Next.WITNESS


# 5. Panel


@pytest.mark.parametrize("panel_at", [-inf, 89.0])
def test_a_panel_sits_just_before_the_last_look(panel_at):
    assert step_of(struck(0.0, 60.0), 120, panel_at=panel_at).what is Next.PANEL
    assert step_of(struck(0.0, 60.0), 120, panel_at=120).what is Next.LOOK


@pytest.mark.parametrize("panel_at", [-inf, 121.0, 80.0])
def test_a_last_look_without_a_panel_before_it_is_repeated(panel_at):
    step = step_of(struck(0.0, 60.0, 120.0), 125, panel_at=panel_at)
    assert step.what is not Next.CONVICT


# 6. Contradiction


def test_strikes_from_before_a_contradiction_are_void():
    suspect = struck(0.0, 60.0, 120.0)
    assert step_of(suspect, 120, voids=1).what is Next.VOID
    suspect.begin_again(Standing(voids=1))
    assert (suspect.strikes, suspect.first_410_at) == ((), 0.0)
    assert step_of(suspect, 121, voids=1) == (Next.LOOK, 120 + DELAY)


def test_a_200_after_410s_half_a_minute_apart_is_a_contradiction():
    assert not Suspect(0.0, 29.9, 0, (0.0,)).contradicts()
    assert Suspect(0.0, CONNECT_MAY_TAKE_SECONDS, 0, (0.0,)).contradicts()


# 8, 9. Nothing waits for ever


NOBODY_LIVES = {"alive_at": -inf, "may_call_witnesses": False, "is_held": True}


def test_who_still_answers_410_when_no_socket_can_live_so_long_goes_whatever_holds_it():
    old = Suspect(0.0, OLDEST, 0, ())
    assert step_of(old, OLDEST, born_at=None, **NOBODY_LIVES).what is Next.CONVICT_BY_AGE
    young = Suspect(0.0, OLDEST - 1, 0, ())
    assert step_of(young, OLDEST, born_at=None, **NOBODY_LIVES).what is not Next.CONVICT_BY_AGE


def test_age_zero_says_nothing():
    rules = EvidenceRules(DELAY, 0)
    step = step_of(Suspect(0.0, 99_999.0, 0, ()), 99_999, rules=rules, born_at=-99_999)
    assert step.what is not Next.CONVICT_BY_AGE


def test_its_own_time_stands_for_that_and_two_410s_suffice():
    suspect = struck(0.0)
    old = 0.0 - OLDEST
    assert step_of(suspect, 0, born_at=old, **NOBODY_LIVES) == (Next.LOOK, 30)
    again(suspect, 30, Standing(), born_at=old)
    assert step_of(suspect, 30, born_at=old, **NOBODY_LIVES).what is Next.CONVICT_BY_AGE


# 10. Trust


def test_trust_lifts_the_panel_and_the_witness_where_nobody_lives():
    trusted = {"is_trusted": True, "panel_at": -inf}
    assert step_of(struck(0.0), 60, alive_at=-inf, **trusted).what is Next.LOOK
    assert step_of(struck(0.0, 60.0), 120, alive_at=-inf, **trusted).what is Next.LOOK
    assert step_of(struck(0.0, 60.0, 120.0), 120, **trusted).what is Next.CONVICT
    assert step_of(struck(5.0), 65, alive_at=5, **trusted).what is Next.WITNESS


# The rule's own worlds

WORLDS = 1500


def a_world(seed: int, **changes) -> RuleWorld:
    chance = random.Random(f"rule {seed}")
    size = chance.choice([1, 2, 5, 12, 40])
    live = chance.randint(0, size)
    return RuleWorld(seed, **{"live": live, "zombies": size - live} | changes)


def test_no_lie_that_is_shorter_than_the_questioning_takes_a_living_one():
    for seed in range(WORLDS):
        chance = random.Random(f"blip {seed}")
        world = a_world(seed)
        begins = chance.uniform(0, 1000)
        says = chance.choice([(410,), (410, 200), (410, 0), (410, 410, 200, 0), (200,), (0,)])
        world.blips = [Blip(begins, chance.uniform(1, 2 * DELAY), chance.random(), says)]
        for _ in range(5):
            world.sweep()
        assert not world.lost, f"in the world of seed {seed}"


def test_no_lie_about_everybody_takes_a_living_one_however_long_it_lasts():
    for seed in range(WORLDS):
        chance = random.Random(f"total {seed}")
        world = a_world(seed)
        world.blips = [Blip(chance.uniform(-200, 800), chance.uniform(1, 6000), 1.0)]
        for _ in range(8):
            world.sweep()
        assert not world.lost, f"in the world of seed {seed}"


def test_in_a_sane_world_zombies_go_within_two_sweeps_if_most_live():
    for seed in range(WORLDS):
        chance = random.Random(f"sane {seed}")
        live = chance.randint(1, 40)
        world = a_world(seed, live=live, zombies=chance.randint(1, max(19, live - 1)))
        for _ in range(2):
            world.sweep()
        assert world.evicted.keys() == {f"zombie-{n}" for n in range(world.zombies)}, seed


def test_nothing_waits_for_longer_than_a_socket_lives():
    for seed in range(100):
        world = a_world(seed)
        world.alive, world.blips = set(), [Blip(0, 1e9, random.Random(seed).random(), (410,))]
        while world.moment < OLDEST + 2 * 300:
            world.sweep()
        assert not world.rows, f"in the world of seed {seed}"
