"""Which sweeps are worth waking somebody for."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from math import inf

from reaper.core.evidence.breaker import HoldReason
from reaper.core.report.report import Details, Report

MANY_SLOWDOWNS = 3
"""In one sweep. Once or twice is the ordinary way of sharing the quota."""


class Kind(StrEnum):
    SWEEP_FAILED = "sweep-failed"
    EVICTIONS_HELD = "evictions-held"
    ACCESS_DENIED = "access-denied"
    THROTTLED = "throttled"
    RATIO_EXCEEDED = "ratio-exceeded"
    SWEEP_OVERRUN = "sweep-overrun"
    TABLE_UNREACHABLE = "table-unreachable"


def alerts(
    report: Report, details: Details, ratio: float | None, ratio_limit: float = inf
) -> Iterator[tuple[Kind, str]]:
    """What is to be said of a sweep that reached its end.

    ``ratio`` is the one that the limit is about, over as long a time as is known.
    """
    if report.hold_reason is HoldReason.DENIED:
        yield Kind.ACCESS_DENIED, details.why_held or "the gateway refuses the reaper's requests"
    elif report.hold_reason is not None:
        yield (
            Kind.EVICTIONS_HELD,
            f"{report.held} evictions are held ({report.hold_reason.value}): {details.why_held}",
        )
    if report.throttled or details.slowdowns >= MANY_SLOWDOWNS:
        yield (
            Kind.THROTTLED,
            f"the account's quota is used up: it lowered the rate {details.slowdowns} times,"
            f" and {report.throttled} rows got no other answer",
        )
    if ratio is not None and ratio > ratio_limit:
        yield (
            Kind.RATIO_EXCEEDED,
            f"{ratio:.3g} heartbeats per message, above REAPER_MAX_HEARTBEAT_RATIO="
            f"{ratio_limit:g}, at a heartbeat interval of"
            f" {details.heartbeat_interval_seconds:.0f} s",
        )
