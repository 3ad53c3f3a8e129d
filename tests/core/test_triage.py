"""RowKind: who is left alone, who is dead by age, who is asked, and how."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.model import Ask
from reaper.core.triage import Cutoffs, HeartbeatMode, RowKind, how_to_ask
from reaper.core.triage import triage as triage_by_cutoffs
from tests.support.builders import DEFAULT_RULES, NOW, a_row

NEXT_TURN = NOW + 300
A_MOMENT = 1e-6
"""As fine as epoch seconds are in a float."""

OFF = replace(DEFAULT_RULES, heartbeat_mode=HeartbeatMode.OFF)
ALWAYS = replace(DEFAULT_RULES, heartbeat_mode=HeartbeatMode.ALWAYS)


def triage(row, now, next_turn_at, rules):
    return triage_by_cutoffs(row, Cutoffs.at(now, next_turn_at, rules))


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (a_row(""), RowKind.MALFORMED),
        (a_row("", age=9999), RowKind.MALFORMED),
        (a_row(endpoint=None), RowKind.FOREIGN),
        (a_row(endpoint=None, age=9999), RowKind.FOREIGN),
        (a_row(age=0), RowKind.NEWBORN),
        (a_row(age=59), RowKind.NEWBORN),
        (a_row(age=-200), RowKind.DUE),
        (a_row(age=-1, silent=10), RowKind.FRESH),
        (a_row(age=61), RowKind.DUE),
        (a_row(age=7499), RowKind.DUE),
        (a_row(age=7501), RowKind.EXPIRED),
        (a_row(age=7501, silent=500), RowKind.EXPIRED),
        (a_row(age=600, silent=179), RowKind.FRESH),
        (a_row(age=600, silent=181), RowKind.DUE),
        (a_row(silent=10), RowKind.FRESH),
        (a_row(), RowKind.DUE),
    ],
)
def test_each_row_has_its_place(row, kind):
    assert triage(row, NOW, NEXT_TURN, DEFAULT_RULES) is kind


def test_age_zero_switches_the_expired_rule_off():
    rules = replace(DEFAULT_RULES, max_connection_age_seconds=0)
    assert triage(a_row(age=99_999), NOW, NEXT_TURN, rules) is RowKind.DUE


def test_the_rules_that_leave_rows_alone_give_way_to_the_heartbeat():
    late = NOW + 450
    assert triage(a_row(age=20), NOW, late, DEFAULT_RULES) is RowKind.NEWBORN
    assert triage(a_row(age=40), NOW, late, DEFAULT_RULES) is RowKind.DUE
    assert triage(a_row(age=600, silent=40), NOW, late, DEFAULT_RULES) is RowKind.DUE
    assert triage(a_row(age=40), NOW, late, OFF) is RowKind.NEWBORN
    assert triage(a_row(age=600, silent=40), NOW, late, OFF) is RowKind.FRESH


@pytest.mark.parametrize(
    ("rules", "row", "ask"),
    [
        (OFF, a_row(silent=9999), Ask.CHECK),
        (OFF, a_row(), Ask.CHECK),
        (ALWAYS, a_row(silent=200), Ask.HEARTBEAT),
        (ALWAYS, a_row(), Ask.HEARTBEAT),
        (DEFAULT_RULES, a_row(silent=100), Ask.CHECK),
        (DEFAULT_RULES, a_row(silent=181), Ask.HEARTBEAT),
        (DEFAULT_RULES, a_row(), Ask.CHECK),
        (DEFAULT_RULES, a_row(age=100, silent=5000), Ask.HEARTBEAT),
    ],
)
def test_the_mode_says_who_gets_a_heartbeat(rules, row, ask):
    assert how_to_ask(row, Cutoffs.at(NOW, NEXT_TURN, rules)) is ask


ages = st.none() | st.floats(-300, 20_000)


@given(
    age=ages,
    silent=ages,
    wait=st.floats(1, 900),
    fresh=st.floats(0, 1000),
    grace=st.floats(0, 1000),
)
def test_no_row_is_left_alone_that_would_miss_its_heartbeat(age, silent, wait, fresh, grace):
    rules = replace(DEFAULT_RULES, fresh_seconds=fresh, newborn_grace_seconds=grace)
    row = a_row(age=age, silent=silent)
    match triage(row, NOW, NOW + wait, rules):
        case RowKind.NEWBORN:
            assert age + wait <= rules.heartbeat_interval_seconds + A_MOMENT
        case RowKind.FRESH:
            assert NOW - row.last_seen_at + wait <= rules.heartbeat_interval_seconds + A_MOMENT


@given(age=ages, silent=ages, wait=st.floats(1, 900))
def test_only_an_age_beyond_the_limit_makes_a_row_expired(age, silent, wait):
    kind = triage(a_row(age=age, silent=silent), NOW, NOW + wait, DEFAULT_RULES)
    if kind is RowKind.EXPIRED:
        assert age is not None
        assert age > DEFAULT_RULES.max_connection_age_seconds > 7200
