"""Which sweeps are worth waking somebody for."""

from __future__ import annotations

import pytest

from reaper.core.evidence.breaker import HoldReason
from reaper.core.report.alerts import MANY_SLOWDOWNS, Kind, alerts
from tests.support.reports import a_report, a_sweep


def kinds(result, ratio=None, limit=0.5) -> list[Kind]:
    return [kind for kind, _ in alerts(result.report, result.details, ratio, limit)]


def test_an_ordinary_sweep_wakes_nobody():
    ordinary = a_report(alive=10, evicted=3, unknown=1)
    assert kinds(a_sweep(ordinary, slowdowns=MANY_SLOWDOWNS - 1), ratio=0.5) == []


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (HoldReason.DENIED, Kind.ACCESS_DENIED),
        (HoldReason.UNPROVEN_ENDPOINT, Kind.EVICTIONS_HELD),
        (HoldReason.TOO_MANY_GONE, Kind.EVICTIONS_HELD),
        (HoldReason.TOO_MANY_UNKNOWN, Kind.EVICTIONS_HELD),
        (HoldReason.AGE_CONTRADICTED, Kind.EVICTIONS_HELD),
    ],
)
def test_what_the_breaker_holds_is_told_with_its_reason(reason, kind):
    result = a_sweep(a_report(held=7, hold_reason=reason))
    ((told, why),) = alerts(result.report, result.details, None)
    assert told is kind
    assert kind is Kind.ACCESS_DENIED or ("7" in why and reason.value in why)


def test_a_quota_that_is_used_up_is_told():
    assert kinds(a_sweep(a_report(throttled=1, unknown=1))) == [Kind.THROTTLED]
    assert kinds(a_sweep(slowdowns=MANY_SLOWDOWNS)) == [Kind.THROTTLED]


@pytest.mark.parametrize(
    ("ratio", "limit", "told"), [(0.51, 0.5, True), (0.5, 0.5, False), (None, 0.5, False)]
)
def test_the_ratio_is_told_of_above_its_limit_only(ratio, limit, told):
    assert (Kind.RATIO_EXCEEDED in kinds(a_sweep(), ratio, limit)) is told


def test_without_a_limit_no_ratio_is_told_of():
    result = a_sweep()
    assert list(alerts(result.report, result.details, 1000.0)) == []
