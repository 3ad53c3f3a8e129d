"""Sweeps as sinks and alerts get them: only what matters is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reaper.core.latency import Latencies
from reaper.core.report import Details, Report, SweepResult, Tally, make_report

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
    of: int = 4,
) -> SweepResult:
    reasons = evicted_by_reason or {}
    details = Details(reasons, latencies or Latencies(), slowdowns, 480, segments=segments, of=of)
    return SweepResult(report, details, None)
