"""The breaker: on which evidence nothing may be evicted, and what the operator is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.breaker import (
    LEARNS_NOTHING_AFTER,
    BreakerLimits,
    Evidence,
    HoldReason,
    explain,
    judge,
    judge_age,
)
from reaper.core.model import Outcome

LIMITS = BreakerLimits(max_gone_fraction=0.5, min_gone_rows=20, max_unknown_fraction=0.2)

counts = st.integers(0, 1000)
evidence = st.builds(
    Evidence, alive=counts, gone=counts, confirmed=counts, unknown=counts, denied=counts
).filter(lambda e: e.denied <= e.unknown)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(), None),
        (Evidence(alive=100), None),
        (Evidence(alive=100, confirmed=100), None),
        (Evidence(alive=99, confirmed=101), HoldReason.TOO_MANY_GONE),
        (Evidence(alive=1, confirmed=19), None),
        (Evidence(alive=1, confirmed=20), HoldReason.TOO_MANY_GONE),
        (Evidence(confirmed=1), HoldReason.UNPROVEN_ENDPOINT),
        (Evidence(gone=5), None),
        (Evidence(alive=80, unknown=20), None),
        (Evidence(alive=79, unknown=21), None),
        (Evidence(alive=79, gone=1, confirmed=1, unknown=21), HoldReason.TOO_MANY_UNKNOWN),
        (Evidence(alive=79, unknown=21, denied=11), HoldReason.DENIED),
        (Evidence(alive=79, confirmed=1, unknown=21, denied=10), HoldReason.TOO_MANY_UNKNOWN),
        (Evidence(unknown=1), HoldReason.TOO_MANY_UNKNOWN),
        (Evidence(alive=3, unknown=1), None),
        (Evidence(unknown=50, denied=50), HoldReason.DENIED),
    ],
)
def test_the_evidence_decides(evidence, reason):
    assert judge(evidence, LIMITS) is reason


@given(evidence)
def test_without_a_live_connection_nothing_is_evicted_on_the_gateways_word(evidence):
    if judge(evidence, LIMITS) is None and evidence.confirmed:
        assert evidence.witnesses > 0


@given(evidence, st.integers(1, 100))
def test_more_zombies_never_lift_a_hold(evidence, more):
    certain = replace(evidence, unknown=0, denied=0)
    if judge(certain, LIMITS) is not None:
        worse = replace(certain, confirmed=certain.confirmed + more)
        assert judge(worse, LIMITS) is judge(certain, LIMITS)


@given(evidence)
def test_trusting_the_endpoint_lifts_only_what_rests_on_trust(evidence):
    trusted = judge(evidence, replace(LIMITS, trust_endpoint=True))
    assert trusted in (None, HoldReason.DENIED, HoldReason.TOO_MANY_UNKNOWN)
    if judge(evidence, LIMITS) in (HoldReason.DENIED, HoldReason.TOO_MANY_UNKNOWN):
        assert trusted is judge(evidence, LIMITS)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(expired_gone=1), None),
        (Evidence(expired_gone=99, expired_alive=1), HoldReason.AGE_CONTRADICTED),
        (Evidence(expired_unknown=20), HoldReason.TOO_MANY_UNKNOWN),
        (Evidence(expired_unknown=20, expired_denied=20), HoldReason.DENIED),
        (Evidence(expired_gone=8, expired_unknown=2), None),
        (Evidence(expired_gone=7, expired_unknown=3), HoldReason.TOO_MANY_UNKNOWN),
        (Evidence(), HoldReason.TOO_MANY_UNKNOWN),
    ],
)
def test_the_expired_rule_is_trusted_but_verified(evidence, reason):
    assert judge_age(evidence, LIMITS) is reason


def test_where_the_living_are_expired_the_advice_is_not_to_vouch_for_the_endpoint():
    evidence = Evidence(gone=3, confirmed=3, expired_alive=5)
    why = explain(HoldReason.UNPROVEN_ENDPOINT, evidence, LIMITS)

    assert "REAPER_CONNECTED_AT_ATTRIBUTE" in why
    assert "--trust-endpoint" not in why


def test_a_sweep_that_learns_nothing_notices_it():
    evidence = Evidence()
    for n in range(1, LEARNS_NOTHING_AFTER + 1):
        assert not evidence.learns_nothing
        evidence.count_unknown(Outcome.DENIED if n % 2 else Outcome.UNKNOWN, 1)
    assert evidence.learns_nothing
    evidence.expired_suspected = 1
    assert not evidence.learns_nothing


def test_each_kind_of_unknown_is_counted():
    evidence = Evidence()
    for outcome in (Outcome.DENIED, Outcome.THROTTLED, Outcome.UNKNOWN):
        evidence.count_unknown(outcome, 2)
    assert (evidence.unknown, evidence.denied, evidence.throttled) == (6, 2, 2)


@pytest.mark.parametrize(
    ("reason", "evidence", "says"),
    [
        (HoldReason.UNPROVEN_ENDPOINT, Evidence(confirmed=7), ["7 rows", "REAPER_API_ENDPOINT"]),
        (HoldReason.TOO_MANY_GONE, Evidence(alive=1, confirmed=30), ["30 of 31", "0.5"]),
        (HoldReason.TOO_MANY_UNKNOWN, Evidence(alive=1, unknown=9), ["9 of 10", "0.2"]),
        (HoldReason.DENIED, Evidence(unknown=9, denied=9), ["9 of 9", "ManageConnections"]),
        (HoldReason.AGE_CONTRADICTED, Evidence(expired_alive=2), ["2", "CONNECTED_AT_ATTRIBUTE"]),
    ],
)
def test_a_hold_is_explained_with_its_numbers(reason, evidence, says):
    text = explain(reason, evidence, LIMITS)
    assert all(part in text for part in says)
