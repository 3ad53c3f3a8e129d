"""What an operator wants to know, as /status.json tells it. Times are ISO 8601, in UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from reaper.core.moments import iso
from reaper.core.platform import MESSAGE_DOLLARS
from reaper.core.report.report import SweepResult
from reaper.core.report.swept import Swept
from reaper.core.report.troubles import trouble_of_fault
from reaper.telemetry.health import Health
from reaper.telemetry.history import History, PastSweep

MONTH_SECONDS = 30 * 86_400.0

SHOWN_EVICTIONS = 10
"""Sweeps that evicted something, whose evictions are shown."""

STALE_INTERVALS = 2.0
"""Numbers are stale when they are older than that, or a later sweep brought none."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the operator has set, as far as it is shown."""

    version: str
    table: str
    endpoint: str | None
    region: str
    dry_run: bool
    heartbeat_mode: str
    interval_seconds: float
    budget_rps: float
    quota_rps: float
    ratio_limit: float | None
    """Heartbeats per message; None without a limit."""
    audit_log: str


class Status:
    def __init__(
        self,
        setup: Setup,
        history: History,
        health: Health,
        wall_clock: Callable[[], float],
        next_sweep_at: Callable[[], float | None],
    ) -> None:
        """``next_sweep_at`` is in epoch seconds; None while nobody knows."""
        self._setup = setup
        self._history = history
        self._health = health
        self._wall_clock = wall_clock
        self._next_sweep_at = next_sweep_at
        self._started_at = wall_clock()

    def to_dict(self) -> dict[str, Any]:
        now, sweeps = self._wall_clock(), self._history.sweeps
        progress = self._health.progress
        return {
            "now": iso(now),
            "started_at": iso(self._started_at),
            "next_sweep_at": iso(self._next_sweep_at()),
            "last_success_at": iso(self._health.succeeded_at),
            "setup": asdict(self._setup),
            **self._health.condition.to_dict(),
            "sweeping": asdict(progress) if progress else None,
            "last": self._of_last(sweeps, now),
            "ratio_of_last_hour": self._history.ratio_of_last_hour(now),
            "heartbeat_dollars_per_month": self._heartbeat_dollars(now),
            "evictions": _evictions(sweeps),
            "sweeps": [_sweep(past) for past in sweeps],
        }

    def _of_last(self, sweeps: list[PastSweep], now: float) -> dict[str, Any] | None:
        """What the last sweep that came to an end found."""
        for past in reversed(sweeps):
            if past.swept.result is not None:
                is_old = now - past.ended_at > STALE_INTERVALS * self._setup.interval_seconds
                is_stale = is_old or past is not sweeps[-1]
                return self._of_result(past.swept.result, past.ended_at) | {"is_stale": is_stale}
        return None

    def _of_result(self, result: SweepResult, ended_at: float) -> dict[str, Any]:
        report, details = result.report, result.details
        return {
            "ended_at": iso(ended_at),
            "live": report.live,
            "zombies": report.confirmed,
            "heartbeat_interval_seconds": details.heartbeat_interval_seconds,
            "slowdowns": details.slowdowns,
            "quota_utilization": report.probe_rps / self._setup.quota_rps,
            "breaker_open": report.hold_reason is not None,
            "why_held": str(details.why_held) if details.why_held else None,
            **_segments(result),
            **report.to_dict(),
        }

    def _heartbeat_dollars(self, now: float) -> float | None:
        """At the rate of the last hour."""
        results = [past.swept.result for past in self._history.last_hour(now)]
        shares = sum(result.details.share for result in results if result)
        if not shares:
            return None
        per_sweep = sum(result.report.heartbeats for result in results if result) / shares
        return per_sweep * MONTH_SECONDS / self._setup.interval_seconds * MESSAGE_DOLLARS


def _sweep(past: PastSweep) -> dict[str, Any]:
    """One that broke off has no numbers, but a reason."""
    swept = past.swept
    row: dict[str, Any] = {
        "ended_at": iso(past.ended_at),
        "result": swept.outcome.value,
        "failed_because": _why(swept),
    }
    if swept.result is None:
        return row | {"seconds": round(swept.seconds, 3)}
    return row | _segments(swept.result) | swept.result.report.to_dict()


def _why(swept: Swept) -> str | None:
    """Without the cure, which is that of the state."""
    if swept.fault is not None:
        return trouble_of_fault(swept.fault, has_broken_off=swept.result is None).why
    if swept.result is not None and swept.result.not_understood is not None:
        return swept.result.not_understood.why
    if swept.result is not None and swept.result.details.why_unheard is not None:
        return swept.result.details.why_unheard.why
    return None


def _segments(result: SweepResult) -> dict[str, Any]:
    details = result.details
    return {"segments": details.segments, "total_segments": details.total_segments}


def _evictions(sweeps: Iterable[PastSweep]) -> list[dict[str, Any]]:
    """The last of them, newest first, by reason."""
    found = []
    for past in sweeps:
        result = past.swept.result
        if result is not None and result.report.evicted:
            reasons = {reason.value: count for reason, count in _counted(result)}
            found.append(
                {
                    "at": iso(past.ended_at),
                    "rows": result.report.evicted,
                    "by_reason": reasons,
                    "dry_run": result.report.dry_run,
                }
            )
    return found[: -SHOWN_EVICTIONS - 1 : -1]


def _counted(result: SweepResult) -> Iterable[tuple[Any, int]]:
    return [(reason, n) for reason, n in result.details.evicted_by_reason.items() if n]
