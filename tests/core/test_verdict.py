"""Verdict: only 410 is a suspicion, and a newborn gets the time to be born."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reaper.core.model import Ask, Outcome
from reaper.core.verdict import confirm_delay_seconds, outcome_of_status
from tests.core.builders import NOW, SHAPE, a_row


@pytest.mark.parametrize("ask", [Ask.CHECK, Ask.HEARTBEAT])
def test_only_410_is_ever_evidence_of_death_and_only_200_of_life(ask):
    outcomes = {status: outcome_of_status(status, ask) for status in range(100, 600)}

    assert [status for status, what in outcomes.items() if what is Outcome.GONE] == [410]
    assert [status for status, what in outcomes.items() if what is Outcome.ALIVE] == [200]


def test_a_socket_closed_as_ordered_is_gone():
    gone = [s for s in range(100, 600) if outcome_of_status(s, Ask.CLOSE) is Outcome.GONE]
    assert gone == [200, 204, 410]


@pytest.mark.parametrize(
    ("rows", "configured", "delay"),
    [
        ([a_row(age=61)], 5, 5),
        ([a_row(age=61)], 45, 45),
        ([a_row(age=59)], 5, 30),
        ([a_row()], 5, 30),
        ([a_row()], 45, 45),
        ([a_row(age=61), a_row()], 5, 30),
        ([a_row(silent=10)], 0, 30),
    ],
)
def test_who_may_be_newborn_is_asked_again_after_connect_must_be_over(rows, configured, delay):
    assert confirm_delay_seconds(rows, NOW, configured, newborn_grace=60) == delay


@pytest.mark.parametrize(("grace", "delay"), [(60, 30), (10, 10), (0, 5)])
def test_where_the_id_is_not_in_the_key_it_may_be_newer_than_the_timestamp(grace, delay):
    by_user = a_row(age=600)._replace(
        shape=replace(SHAPE, key_names=("userId",)), item={"userId": {"S": "ann"}}
    )
    assert confirm_delay_seconds([by_user], NOW, 5, grace) == delay
