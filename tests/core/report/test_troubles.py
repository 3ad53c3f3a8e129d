"""Which sweeps are worth waking somebody for, and what they are told."""

from __future__ import annotations

import pytest

from reaper.core.errors import (
    AuditError,
    GatewayError,
    HeartbeatsRefused,
    HookError,
    Refused,
    TableError,
    TableUnfit,
)
from reaper.core.evidence.breaker import HoldReason
from reaper.core.evidence.holds import Explanation
from reaper.core.refusals import Refusal
from reaper.core.report.swept import Outcome
from reaper.core.report.troubles import MANY_SLOWDOWNS, Kind, Level, troubles_of
from tests.support.reports import a_failure, a_report, a_sweep

WHY_HELD = Explanation("30 of 40 rows look like zombies", "wait")
EXPIRED = Refusal(Refused.CREDENTIALS, "failed: the credentials are expired", "renew them")
NOT_GRANTED = Refusal(Refused.NOT_GRANTED, "is not granted", "grant it")


def kinds(swept, ratio=None, limit=0.5) -> list[Kind]:
    return [trouble.kind for trouble in troubles_of(swept, ratio, limit)]


def test_an_ordinary_sweep_wakes_nobody():
    ordinary = a_report(alive=10, evicted=3, unknown=1)
    assert kinds(a_sweep(ordinary, slowdowns=MANY_SLOWDOWNS - 1), ratio=0.5) == []


@pytest.mark.parametrize(
    "reason", [reason for reason in HoldReason if reason is not HoldReason.DENIED]
)
def test_what_the_breaker_holds_is_told_with_its_numbers_and_its_cure(reason):
    held = a_report(held=7, alive=1, hold_reason=reason)
    (trouble,) = troubles_of(a_sweep(held, why_held=WHY_HELD), None)
    assert (trouble.kind, trouble.level) == (Kind.EVICTIONS_HELD, Level.WARNING)
    sentence = f"7 evictions are held ({reason.value}): 30 of 40 rows look like zombies: wait"
    assert str(trouble) == sentence


@pytest.mark.parametrize(
    ("refusal", "kind", "level"),
    [
        (None, Kind.ACCESS_DENIED, Level.ERROR),
        (NOT_GRANTED, Kind.ACCESS_DENIED, Level.ERROR),
        (EXPIRED, Kind.CREDENTIALS, Level.FATAL),
    ],
)
def test_a_gateway_that_refuses_is_told_as_what_it_says(refusal, kind, level):
    denied = a_report(alive=1, unknown=9, denied=9, hold_reason=HoldReason.DENIED)
    why_held = Explanation("9 of 10 answers were 403", "grant it", refusal)
    (trouble,) = troubles_of(a_sweep(denied, why_held=why_held), None)
    assert (trouble.kind, trouble.level) == (kind, level)


def test_a_sweep_amid_which_credentials_ran_out_has_failed():
    """The first rows may still have answered."""
    denied = a_report(alive=10, unknown=18, denied=18, hold_reason=HoldReason.DENIED)
    assert a_sweep(denied, why_held=Explanation("18 of 28", "renew", EXPIRED)).is_failure
    assert not a_sweep(denied, why_held=Explanation("18 of 28", "grant", NOT_GRANTED)).is_failure


@pytest.mark.parametrize(("alive", "level"), [(21, Level.ERROR), (7, Level.FATAL)])
def test_many_inconclusive_answers_are_told_though_no_zombie_waits(alive, level):
    """Their clients got no heartbeat, which is urgent where they are most."""
    unheard = a_report(alive=alive, unknown=28 - alive)
    why = Explanation("21 of 28 rows could not be reached", "find the firewall")
    (trouble,) = troubles_of(a_sweep(unheard, why_unheard=why), None)
    assert (trouble.kind, trouble.level) == (Kind.SWEEP_FAILED, level)
    assert str(trouble) == f"{why.why}: {why.cure}"


def test_many_throttled_answers_are_one_trouble_though_no_zombie_waits():
    throttled = a_report(alive=7, unknown=21, throttled=21)
    why = Explanation("21 of 28 rows could not be reached", "ask AWS")
    assert kinds(a_sweep(throttled, why_unheard=why)) == [Kind.THROTTLED]


def test_refused_heartbeats_are_urgent_though_evictions_go_on():
    refused = HeartbeatsRefused("the gateway refused 28 heartbeats", "grant it")
    (trouble,) = troubles_of(a_sweep(a_report(alive=28, evicted=6), fault=refused), None)
    assert trouble.level is Level.FATAL


def test_evictions_that_fail_are_told_with_their_number():
    failed = a_report(alive=7, gone=6, confirmed=6, failed=6)
    (trouble,) = troubles_of(a_sweep(failed, fault=HookError("it timed out", "mend it")), None)
    assert str(trouble) == "6 evictions failed: it timed out: mend it"


def test_that_nobody_could_be_asked_at_all_is_urgent():
    denied = a_report(unknown=9, denied=9, hold_reason=HoldReason.DENIED)
    swept = a_sweep(denied, why_held=WHY_HELD, outcome=Outcome.CUT_SHORT)
    (trouble,) = troubles_of(swept, None)
    assert trouble.level is Level.FATAL


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (TableError("no answer"), Kind.TABLE_UNREACHABLE),
        (TableError("no Scan", refused=Refused.NOT_GRANTED), Kind.ACCESS_DENIED),
        (TableError("an SCP", refused=Refused.FORBIDDEN), Kind.ACCESS_DENIED),
        (TableError("expired", refused=Refused.CREDENTIALS), Kind.CREDENTIALS),
        (TableUnfit("no such index"), Kind.SWEEP_FAILED),
        (ValueError("R0oXAdfD0kwCH6w="), Kind.SWEEP_FAILED),
    ],
)
def test_a_sweep_that_broke_off_is_told_by_what_broke_it(fault, kind):
    (trouble,) = troubles_of(a_failure(fault), None)
    assert (trouble.kind, trouble.level) == (kind, Level.FATAL)
    assert trouble.cure
    assert "R0oX" not in str(trouble)  # what others wrote may hold a piece of a row


@pytest.mark.parametrize(
    ("fault", "kind", "level"),
    [
        (AuditError("disk full", "make room"), Kind.SWEEP_FAILED, Level.ERROR),
        (HookError("it failed"), Kind.SWEEP_FAILED, Level.ERROR),
        (TableError("no DeleteItem"), Kind.SWEEP_FAILED, Level.ERROR),
        (GatewayError("no POST", refused=Refused.NOT_GRANTED), Kind.ACCESS_DENIED, Level.ERROR),
    ],
)
def test_what_failed_in_a_sweep_that_came_to_its_end(fault, kind, level):
    (trouble,) = troubles_of(a_sweep(a_report(alive=5), fault=fault), None)
    assert (trouble.kind, trouble.level) == (kind, level)


def test_a_gateway_that_answers_nobody_is_a_sweep_that_failed_and_urgent():
    """Its zombies are the least of it: no heartbeat gets out."""
    unknown = a_report(unknown=9, hold_reason=HoldReason.TOO_MANY_UNKNOWN)
    swept = a_sweep(unknown, why_held=WHY_HELD, outcome=Outcome.CUT_SHORT)
    (trouble,) = troubles_of(swept, None)
    assert (trouble.kind, trouble.level) == (Kind.SWEEP_FAILED, Level.FATAL)
    assert "held" not in trouble.why


def test_a_quota_that_nothing_else_is_wrong_with_is_one_trouble():
    throttled = a_report(unknown=9, throttled=8, hold_reason=HoldReason.TOO_MANY_UNKNOWN)
    swept = a_sweep(throttled, why_held=WHY_HELD, outcome=Outcome.CUT_SHORT)
    (trouble,) = troubles_of(swept, None)
    assert (trouble.kind, trouble.level) == (Kind.THROTTLED, Level.FATAL)


def test_that_no_row_was_understood_is_a_failure():
    unfit = TableUnfit("none of 5 rows has an id", "correct it")
    swept = a_sweep(a_report(malformed=5), not_understood=unfit)
    assert swept.is_failure
    (trouble,) = troubles_of(swept, None)
    assert (trouble.kind, str(trouble)) == (Kind.SWEEP_FAILED, str(unfit))


def test_a_quota_that_is_used_up_is_told():
    throttled = a_report(throttled=1, unknown=1, alive=1)
    assert kinds(a_sweep(throttled)) == [Kind.THROTTLED]
    assert kinds(a_sweep(slowdowns=MANY_SLOWDOWNS)) == [Kind.THROTTLED]


@pytest.mark.parametrize(
    ("ratio", "limit", "told"), [(0.51, 0.5, True), (0.5, 0.5, False), (None, 0.5, False)]
)
def test_the_ratio_is_told_of_above_its_limit_only(ratio, limit, told):
    assert (Kind.RATIO_EXCEEDED in kinds(a_sweep(), ratio, limit)) is told


def test_without_a_limit_no_ratio_is_told_of():
    assert list(troubles_of(a_sweep(), 1000.0)) == []


def test_a_sweep_that_was_stopped_is_no_trouble():
    unfinished = a_report(unknown=3, hold_reason=HoldReason.TOO_MANY_UNKNOWN)
    swept = a_sweep(unfinished, why_held=WHY_HELD, outcome=Outcome.STOPPED)
    assert not swept.is_failure
    assert list(troubles_of(swept, None)) == []


def test_the_worst_comes_first():
    report = a_report(alive=1, held=7, hold_reason=HoldReason.TOO_MANY_GONE)
    expired = TableError("expired", refused=Refused.CREDENTIALS)
    swept = a_sweep(report, why_held=WHY_HELD, slowdowns=MANY_SLOWDOWNS, fault=expired)
    assert kinds(swept) == [Kind.CREDENTIALS, Kind.THROTTLED, Kind.EVICTIONS_HELD]
