"""What is wrong, for whoever is woken by it: its kind, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from reaper.core.errors import Fault, HeartbeatsRefused, Refused, TableError, TableUnfit
from reaper.core.evidence.breaker import HoldReason
from reaper.core.evidence.holds import Explanation
from reaper.core.report.report import Report, SweepResult
from reaper.core.report.swept import Outcome, Swept

MANY_SLOWDOWNS = 3
"""In one sweep. Once or twice is the ordinary way of sharing the quota."""


class Level(StrEnum):
    """How urgent it is, in Sentry's words."""

    WARNING = "warning"
    """It can wait until the morning: money, or rows that stay."""
    ERROR = "error"
    """Something does not work, or works too slowly, and does not mend itself."""
    FATAL = "fatal"
    """No sweep, or no heartbeat, gets through: idle sockets close 10 minutes later."""

    @property
    def rank(self) -> int:
        """The higher the worse."""
        return list(Level).index(self)

    @property
    def urgency(self) -> str:
        """What is added to an alert's sentence."""
        is_fatal = self is Level.FATAL
        return "; urgent: idle sockets get no heartbeats" if is_fatal else ""


class Kind(StrEnum):
    SWEEP_FAILED = "sweep-failed"
    EVICTIONS_HELD = "evictions-held"
    ACCESS_DENIED = "access-denied"
    CREDENTIALS = "credentials"
    THROTTLED = "throttled"
    RATIO_EXCEEDED = "ratio-exceeded"
    SWEEP_OVERRUN = "sweep-overrun"
    TABLE_UNREACHABLE = "table-unreachable"

    @property
    def runbook(self) -> str:
        """Its entry."""
        return f"docs/runbook.md#{self.value}"


_CURES = {
    Kind.SWEEP_FAILED: "read the log line 'sweep failed', and try `reaper check`",
    Kind.ACCESS_DENIED: "grant what `reaper policy` prints",
    Kind.CREDENTIALS: "renew the credentials",
    Kind.TABLE_UNREACHABLE: "try `reaper check` from the same host; the daemon tries again every 15"
    " seconds",
}
"""For faults that name none."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """As text it is one whole sentence: why, and after a colon what to do."""

    kind: Kind
    why: str
    cure: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        return f"{self.why}: {self.cure}"


def troubles_of(swept: Swept, ratio: float | None, ratio_limit: float = inf) -> list[Trouble]:
    """What was wrong with a sweep, the worst first.

    ``ratio`` is the one that the limit is about, over as long a time as is known.
    """
    found: list[Trouble] = []
    if swept.fault is not None:
        found.append(_trouble_of(swept, swept.fault))
    if swept.result is not None and swept.outcome is not Outcome.STOPPED:
        found += _troubles_of_result(swept, swept.result)
        if ratio is not None and ratio > ratio_limit:
            found.append(_too_high_ratio(ratio, ratio_limit, swept.result))
    if swept.is_failure and not found:
        why = "the sweep was cut short, since no answer told anything"
        found.append(Trouble(Kind.SWEEP_FAILED, why, _CURES[Kind.SWEEP_FAILED], Level.FATAL))
    return sorted(found, key=lambda trouble: -trouble.level.rank)


def _trouble_of(swept: Swept, fault: Exception) -> Trouble:
    trouble = trouble_of_fault(fault, has_broken_off=swept.result is None)
    if swept.report is None or not swept.report.failed:
        return trouble
    return replace(trouble, why=f"{swept.report.failed} evictions failed: {trouble.why}")


def trouble_of_fault(fault: Exception, *, has_broken_off: bool) -> Trouble:
    """What a fault means; one that no sweep survives is urgent."""
    kind = _kind_of(fault, has_broken_off=has_broken_off)
    why, cure = _in_words(fault)
    is_fatal = has_broken_off or kind is Kind.CREDENTIALS or isinstance(fault, HeartbeatsRefused)
    return Trouble(kind, why, cure or _CURES[kind], Level.FATAL if is_fatal else Level.ERROR)


def _kind_of(fault: Exception, *, has_broken_off: bool) -> Kind:
    refused = fault.refused if isinstance(fault, Fault) else None
    if refused is Refused.CREDENTIALS:
        return Kind.CREDENTIALS
    if refused is not None:
        return Kind.ACCESS_DENIED
    if isinstance(fault, TableError) and has_broken_off and not isinstance(fault, TableUnfit):
        return Kind.TABLE_UNREACHABLE
    return Kind.SWEEP_FAILED


def _in_words(fault: Exception) -> tuple[str, str]:
    """Our own faults are worded for people; another's text may hold anything, and is in the log."""
    if isinstance(fault, Fault):
        return fault.why, fault.cure
    return f"{type(fault).__name__}, which the log tells more of", ""


def _troubles_of_result(swept: Swept, result: SweepResult) -> Iterator[Trouble]:
    report, details = result.report, result.details
    if result.not_understood is not None:
        yield trouble_of_fault(result.not_understood, has_broken_off=True)
    reason, explanation = report.hold_reason, details.why_held
    if reason is None and details.why_unheard is not None:
        reason, explanation = HoldReason.TOO_MANY_UNKNOWN, details.why_unheard
    is_unknown = reason is HoldReason.TOO_MANY_UNKNOWN
    is_throttled = is_unknown and report.throttled * 2 > report.unknown
    if reason is not None and explanation is not None and not is_throttled:
        yield _hold(swept, report, reason, explanation)
    if report.throttled or details.slowdowns >= MANY_SLOWDOWNS:
        yield Trouble(
            Kind.THROTTLED,
            "API Gateway answers 429, since the quota of the account and Region is used up:"
            f" {report.throttled} rows got no answer but that, and no heartbeat, and the reaper"
            f" lowered its rate {details.slowdowns} times",
            "see 'of the quota' on the status page: if that is much, lower REAPER_QUOTA_SHARE; else"
            " look at your application's own calls, or ask AWS for a higher quota",
            Level.FATAL if swept.is_failure else Level.ERROR,
        )


def _hold(swept: Swept, report: Report, reason: HoldReason, explanation: Explanation) -> Trouble:
    """Evictions that are held; or, where rows could not be asked, why that is."""
    level = Level.FATAL if swept.is_failure else Level.WARNING
    refusal = explanation.refusal
    if refusal is not None and refusal.refused is Refused.CREDENTIALS:
        return Trouble(Kind.CREDENTIALS, explanation.why, explanation.cure, Level.FATAL)
    if refusal is not None or reason is HoldReason.DENIED:
        level = Level.FATAL if swept.is_failure else Level.ERROR
        return Trouble(Kind.ACCESS_DENIED, explanation.why, explanation.cure, level)
    if reason is HoldReason.TOO_MANY_UNKNOWN and (swept.is_failure or not report.held):
        is_fatal = swept.is_failure or report.unknown > report.alive
        level = Level.FATAL if is_fatal else Level.ERROR
        return Trouble(Kind.SWEEP_FAILED, explanation.why, explanation.cure, level)
    why = f"{report.held} evictions are held ({reason.value}): {explanation.why}"
    return Trouble(Kind.EVICTIONS_HELD, why, explanation.cure, level)


def _too_high_ratio(ratio: float, ratio_limit: float, result: SweepResult) -> Trouble:
    return Trouble(
        Kind.RATIO_EXCEEDED,
        f"{ratio:.3g} heartbeats per message in the last hour, above REAPER_MAX_HEARTBEAT_RATIO="
        f"{ratio_limit:g}, at a heartbeat interval of"
        f" {result.details.heartbeat_interval_seconds:.0f} s",
        "raise the limit if it is the quiet of the night; else sweep more often, or note signs of"
        " life on the rows (REAPER_LAST_SEEN_ATTRIBUTE)",
        Level.WARNING,
    )
