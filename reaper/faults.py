"""What went wrong becomes an alert of the right kind."""

from __future__ import annotations

from reaper.aws.errors import AccessDenied, TableError, TableUnfit
from reaper.core.alerts import Kind
from reaper.core.report import Report, SweepResult
from reaper.telemetry.publish import Publisher


def publish(publisher: Publisher, result: SweepResult) -> None:
    """Tell of a sweep that reached its end, and of what failed in it."""
    publisher.publish(result)
    if result.fault is not None:
        publish_fault(publisher, result.fault, result.report)


def publish_fault(publisher: Publisher, fault: Exception, report: Report | None = None) -> None:
    """Tell of a fault; without a report the whole sweep broke off."""
    kind = Kind.SWEEP_FAILED
    if isinstance(fault, AccessDenied):
        kind = Kind.ACCESS_DENIED
    elif isinstance(fault, TableError) and report is None and not isinstance(fault, TableUnfit):
        kind = Kind.TABLE_UNREACHABLE
    publisher.publish_fault(kind, fault, report)
