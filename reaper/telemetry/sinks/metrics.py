"""The metrics of a sweep by their CloudWatch names."""

from __future__ import annotations

from reaper.core.platform import MESSAGE_DOLLARS
from reaper.core.report.report import SweepResult

UNITS = {
    "HeartbeatsSent": "Count",
    "ChecksSent": "Count",
    "Messages": "Count",
    "HeartbeatMessageRatio": "None",
    "LiveConnections": "Count",
    "SweepShare": "None",
    "ZombiesEvicted": "Count",
    "ZombiesHeld": "Count",
    "UnknownProbes": "Count",
    "SweepSeconds": "Seconds",
    "QuotaUtilization": "Percent",
    "BreakerOpen": "Count",
    "HeartbeatDollars": "None",
}


def metrics(result: SweepResult, quota_rps: float) -> dict[str, float]:
    """What is not known is left out.

    Everything but the ratio and the length adds up over workers who share a sweep, and over the
    sweeps of any time. By ``SweepShare``, which adds up to the number of sweeps of the whole table,
    sums become what one such sweep came to.
    """
    report, share = result.report, result.details.share
    values = {
        "HeartbeatsSent": report.heartbeats,
        "ChecksSent": report.checks,
        "Messages": report.messages,
        "HeartbeatMessageRatio": report.heartbeat_message_ratio,
        "LiveConnections": report.live if share else None,
        "SweepShare": share,
        "ZombiesEvicted": 0 if report.dry_run else report.evicted,
        "ZombiesHeld": report.held if share else None,
        "UnknownProbes": report.unknown,
        "SweepSeconds": report.seconds,
        "QuotaUtilization": 100 * report.probe_rps / quota_rps if share else None,
        "BreakerOpen": int(report.hold_reason is not None),
        "HeartbeatDollars": report.heartbeats * MESSAGE_DOLLARS,
    }
    return {name: value for name, value in values.items() if value is not None}
