"""Sweeps as everybody is told of them: only what matters is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reaper.core.errors import TableUnfit
from reaper.core.pacing.latency import Latencies
from reaper.core.report.report import Details, Report, SweepResult, make_report
from reaper.core.report.swept import Outcome, Swept
from reaper.core.report.tally import Tally

EMPTY = make_report(
    Tally(),
    (),
    hold_reason=None,
    dry_run=False,
    is_complete=True,
    pending=0,
    checks=0,
    api_calls=0,
    seconds=1.0,
    messages=None,
)


def a_report(**fields: Any) -> Report:
    return replace(EMPTY, **fields)


def a_sweep(
    report: Report = EMPTY,
    *,
    slowdowns: int = 0,
    latencies: Latencies | None = None,
    evicted_by_reason: dict[Any, int] | None = None,
    segments: tuple[int, ...] = (0, 1, 2, 3),
    total_segments: int = 4,
    outcome: Outcome = Outcome.DONE,
    fault: Exception | None = None,
    not_understood: TableUnfit | None = None,
    **more: Any,
) -> Swept:
    reasons = evicted_by_reason or {}
    details = Details(
        reasons,
        latencies or Latencies(),
        slowdowns,
        480,
        segments=segments,
        total_segments=total_segments,
        **more,
    )
    result = SweepResult(report, details, fault, not_understood)
    return Swept(outcome, report.seconds, result, fault)


def a_failure(fault: Exception) -> Swept:
    """A sweep that broke off."""
    return Swept(Outcome.FAILED, 0.1, None, fault)
