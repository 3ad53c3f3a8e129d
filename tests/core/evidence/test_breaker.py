"""The breaker: on which answers nothing may be evicted, and what the operator is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.evidence.breaker import (
    UNRESPONSIVE_AFTER_ANSWERS,
    BreakerLimits,
    Counts,
    Findings,
    Harvest,
    HoldReason,
    hold_of,
    hold_of_deaf,
    is_slow,
)
from reaper.core.evidence.holds import explain, what_ends_it
from reaper.core.model import Outcome

LIMITS = BreakerLimits(max_gone_fraction=0.5, min_gone_rows=20, max_unknown_fraction=0.2)
UNKNOWN, DENIED = HoldReason.TOO_MANY_UNKNOWN, HoldReason.DENIED
GONE, UNPROVEN = HoldReason.TOO_MANY_GONE, HoldReason.UNPROVEN_ENDPOINT

rows = st.integers(0, 1000)
counts = st.builds(Counts, alive=rows, gone=rows, unknown=rows, denied=rows).filter(
    lambda one: one.denied <= one.unknown
)


def hold(limits: BreakerLimits = LIMITS, *, last=None, panel=None, shared=False, **fields):
    findings = Findings(Counts(**fields), last or Harvest(0, 0), panel, shared)
    return hold_of(findings, limits)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"alive": 100}, None),
        ({"alive": 101, "gone": 100}, None),
        ({"alive": 100, "gone": 100}, GONE),
        ({"alive": 100, "gone": 100, "withdrawn": 1}, None),
        ({"alive": 1, "gone": 19}, None),
        ({"alive": 1, "gone": 20}, GONE),
        ({"gone": 20}, UNPROVEN),
        ({"alive": 81, "unknown": 19, "gone": 1}, None),
        ({"alive": 80, "unknown": 20}, None),
        ({"alive": 79, "gone": 1, "unknown": 20}, UNKNOWN),
        ({"alive": 80, "unknown": 20, "denied": 11}, DENIED),
        ({"alive": 79, "gone": 1, "unknown": 20, "denied": 10}, UNKNOWN),
        ({"unknown": 1}, UNKNOWN),
        ({"unknown": 50, "denied": 50}, DENIED),
        ({"unknown": 50, "denied": 20, "unasked": 30}, DENIED),
    ],
)
def test_the_answers_decide(fields, reason):
    assert hold(**fields) is reason


def test_a_row_whose_id_is_rejected_holds_no_others_while_others_answer():
    assert hold(alive=2, gone=1, unknown=1, rejected=1) is None
    assert hold(unknown=3, rejected=3) is UNKNOWN


def test_rows_that_were_left_alone_weigh_as_much_as_a_sample_of_them_lives():
    few = {"alive": 5, "gone": 30}
    assert hold(**few) is GONE
    assert hold(**few, left_fresh=1000, weighed=100, weighed_alive=100) is None
    assert hold(**few, left_fresh=1000, weighed=100, weighed_alive=1) is GONE


def test_the_last_whole_sweep_is_remembered():
    assert hold(alive=100, gone=1, last=Harvest(60, 100)) is GONE
    assert hold(alive=100, gone=1, last=Harvest(49, 100)) is None


@pytest.mark.parametrize(
    ("panel", "reason"),
    [
        (None, None),
        (Harvest(0, 20), None),
        (Harvest(9, 20), None),
        (Harvest(10, 20), GONE),
        (Harvest(1, 2), GONE),
        (Harvest(0, 0), UNKNOWN),
    ],
)
def test_a_panel_of_whom_half_are_gone_refutes_the_gateway(panel, reason):
    assert hold(alive=1000, gone=10, panel=panel) is reason


def test_where_nobody_lives_who_could_sit_in_a_panel_nothing_is_proven():
    assert hold(gone=1, panel=Harvest(0, 0)) is UNPROVEN


def test_harvest_and_panel_are_taken_together():
    assert hold(alive=52, gone=48, panel=Harvest(0, 20)) is None
    assert hold(alive=52, gone=48, panel=Harvest(9, 10)) is GONE
    assert hold(alive=52, gone=48, panel=Harvest(4, 9)) is None
    assert hold(alive=51, gone=50, panel=Harvest(9, 20)) is None
    assert hold(alive=51, gone=50, panel=Harvest(3, 6)) is GONE


def test_a_few_that_are_half_of_a_small_table_are_doubted_and_not_held():
    findings = Findings(Counts(alive=5, gone=5))
    assert (hold_of(findings, LIMITS), is_slow(findings, LIMITS)) == (None, True)
    assert not is_slow(Findings(Counts(alive=6, gone=5)), LIMITS)
    assert is_slow(Findings(Counts(alive=6, gone=1), Harvest(3, 4)), LIMITS)


def test_ids_of_one_case_hold_the_table_whoever_vouches_for_it():
    trusting = replace(LIMITS, trust_endpoint=True)
    assert hold(trusting, gone=3, ids=3, ids_of_one_case=3) is UNPROVEN
    assert hold(trusting, gone=3, ids=3, ids_of_one_case=1) is None


def test_a_table_that_another_api_writes_into_is_held_whoever_vouches_for_it():
    trusting = replace(LIMITS, trust_endpoint=True)
    assert hold(trusting, alive=9, gone=1, shared=True) is HoldReason.SHARED_TABLE


@given(counts, st.integers(1, 100))
def test_more_zombies_never_lift_a_hold(counts, more):
    certain = replace(counts, unknown=0, denied=0)
    if (reason := hold_of(Findings(certain), LIMITS)) is not None:
        assert hold_of(Findings(replace(certain, gone=certain.gone + more)), LIMITS) is reason


@given(counts)
def test_trusting_the_endpoint_lifts_only_what_rests_on_trust(counts):
    trusted = hold_of(Findings(counts), replace(LIMITS, trust_endpoint=True))
    assert trusted in (None, DENIED, UNKNOWN)
    if (reason := hold_of(Findings(counts), LIMITS)) in (DENIED, UNKNOWN):
        assert trusted is reason


@pytest.mark.parametrize(
    ("pongs", "deaf", "reason"),
    [
        (0, 1, GONE),
        (1, 1, None),
        (1, 2, GONE),
        (18, 1, None),
        (17, 2, GONE),
        (38, 2, None),
        (37, 3, GONE),
        (1, 19, GONE),
        (950, 50, None),
        (949, 51, GONE),
    ],
)
def test_more_than_one_deaf_in_twenty_are_not_believed(pongs, deaf, reason):
    assert hold_of_deaf(Findings(Counts(alive=1000, pongs=pongs, deaf=deaf)), LIMITS) is reason


def test_a_gateway_that_is_not_believed_is_not_told_to_close_sockets():
    counts = Counts(alive=10, gone=40, pongs=100, deaf=1)
    assert hold_of_deaf(Findings(counts), LIMITS) is GONE


def test_a_sweep_that_learns_nothing_notices_it():
    counts = Counts()
    for n in range(1, UNRESPONSIVE_AFTER_ANSWERS + 1):
        assert not counts.is_unresponsive
        counts.count_inconclusive(Outcome.DENIED if n % 2 else Outcome.UNKNOWN, 1)
    assert counts.is_unresponsive
    counts.gone = 1
    assert not counts.is_unresponsive


def test_each_kind_of_unknown_is_counted():
    counts = Counts()
    for outcome in (Outcome.DENIED, Outcome.THROTTLED, Outcome.REJECTED, Outcome.UNKNOWN):
        counts.count_inconclusive(outcome, 2)
    assert (counts.unknown, counts.denied, counts.throttled, counts.rejected) == (8, 2, 2, 2)


@pytest.mark.parametrize(
    ("reason", "findings", "says"),
    [
        (UNPROVEN, Findings(Counts(gone=7)), ["7 rows", "REAPER_API_ENDPOINT"]),
        (
            UNPROVEN,
            Findings(Counts(gone=7, ids=7, ids_of_one_case=7)),
            ["7 of 7 ids", "REAPER_CONNECTION_ID_ATTRIBUTE"],
        ),
        (GONE, Findings(Counts(alive=1, gone=30)), ["30 of 31", "0.5"]),
        (
            GONE,
            Findings(Counts(alive=90, gone=10), panel=Harvest(15, 20)),
            ["10 of 100", "15 of 20 that were alive"],
        ),
        (UNKNOWN, Findings(Counts(alive=1, unknown=9)), ["9 of 10", "0.2"]),
        (DENIED, Findings(Counts(unknown=9, denied=9)), ["9 of 9", "ManageConnections"]),
        (HoldReason.AGE_CONTRADICTED, Findings(Counts()), ["CONNECTED_AT_ATTRIBUTE", "TIME_ZONE"]),
        (HoldReason.SHARED_TABLE, Findings(Counts()), ["ConnectCount", "ENDPOINT_ATTRIBUTE"]),
    ],
)
def test_a_hold_is_explained_with_its_numbers_and_never_by_trusting_the_endpoint(
    reason, findings, says
):
    text = str(explain(reason, findings, LIMITS))
    assert all(part in text for part in says)
    assert "--trust-endpoint" not in text


def test_a_hold_says_what_ends_it():
    assert "2 h 5 min" in what_ends_it(7500)
    assert "REAPER_MAX_CONNECTION_AGE_SECONDS=0" in what_ends_it(0)


@pytest.mark.parametrize(
    ("detail", "cure"),
    [
        ("cannot resolve nowhere.invalid: Name or service not known", "DNS"),
        ("cannot connect to a at 10.0.0.1:443: Connection refused", "security group"),
        ("TLS fails: certificate verify failed: unable to get local issuer", "AWS_CA_BUNDLE"),
        ("TLS fails: WRONG_VERSION_NUMBER", "does not speak TLS"),
        ("proxy p of HTTPS_PROXY: refused", "NO_PROXY"),
        ("no answer within 5 s: waited for the first byte", "wait if API Gateway has trouble"),
        ("404", "stage and path"),
        ("503 ServiceUnavailable", "the next sweep asks again"),
        ("418", "inconclusive answers"),
    ],
)
def test_answers_that_tell_nothing_have_a_cure_by_what_they_say(detail, cure):
    findings = Findings(Counts(unknown=9), inconclusive=detail)
    told = explain(UNKNOWN, findings, LIMITS)
    assert detail in told.why
    assert cure in told.cure
