"""What an operator wants to know, as /status.json tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from reaper.core.platform import MESSAGE_DOLLARS
from reaper.telemetry.health import Health
from reaper.telemetry.history import History, PastSweep

MONTH_SECONDS = 30 * 86_400.0


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


class Status:
    def __init__(
        self, setup: Setup, history: History, health: Health, wall_clock: Callable[[], float]
    ) -> None:
        self._setup = setup
        self._history = history
        self._health = health
        self._wall_clock = wall_clock

    def to_dict(self) -> dict[str, Any]:
        now, sweeps = self._wall_clock(), self._history.sweeps
        progress, fault = self._health.progress, self._history.fault
        return {
            "now": now,
            "setup": asdict(self._setup),
            **self._health.to_dict(),
            "sweeping": asdict(progress) if progress else None,
            "fault": fault._asdict() if fault else None,
            "last": self._of_last(sweeps[-1]) if sweeps else None,
            "ratio_of_last_hour": self._history.ratio_of_last_hour(now),
            "heartbeat_dollars_per_month": self._heartbeat_dollars(now),
            "sweeps": [_sweep(past) for past in sweeps],
        }

    def _of_last(self, past: PastSweep) -> dict[str, Any]:
        report = past.report
        return {
            "ended_at": past.ended_at,
            "live": report.live,
            "zombies": report.confirmed,
            "heartbeat_interval_seconds": past.details.heartbeat_interval_seconds,
            "slowdowns": past.details.slowdowns,
            "quota_utilization": report.probe_rps / self._setup.quota_rps,
            "breaker_open": report.hold_reason is not None,
            "why_held": past.details.why_held,
        }

    def _heartbeat_dollars(self, now: float) -> float | None:
        """At the rate of the last hour."""
        sweeps = self._history.last_hour(now)
        shares = sum(past.details.share for past in sweeps)
        if not shares:
            return None
        per_sweep = sum(past.report.heartbeats for past in sweeps) / shares
        return per_sweep * MONTH_SECONDS / self._setup.interval_seconds * MESSAGE_DOLLARS


def _sweep(past: PastSweep) -> dict[str, Any]:
    return {
        "ended_at": past.ended_at,
        "segments": past.details.segments,
        "total_segments": past.details.total_segments,
        **past.report.to_dict(),
    }
