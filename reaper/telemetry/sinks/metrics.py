"""The metrics of a sweep by their CloudWatch names."""

from __future__ import annotations

from reaper.core.platform import MESSAGE_DOLLARS
from reaper.core.report.report import SweepResult
from reaper.core.report.swept import Swept

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
    "SweepsFailed": "Count",
    "EvictionsFailed": "Count",
}


def metrics(swept: Swept, quota_rps: float) -> dict[str, float]:
    """What is not known is left out; of a sweep that broke off nothing is known but that.

    Everything but the ratio and the length adds up over workers who share a sweep, and over the
    sweeps of any time. By ``SweepShare``, which adds up to the number of sweeps of the whole table,
    sums become what one such sweep came to.
    """
    values: dict[str, float] = {"SweepsFailed": int(swept.is_failure)}
    if swept.result is None:
        return values
    return values | _of_result(swept.result, quota_rps)


def _of_result(result: SweepResult, quota_rps: float) -> dict[str, float]:
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
        "EvictionsFailed": report.failed,
        "UnknownProbes": report.unknown,
        "SweepSeconds": report.seconds,
        "QuotaUtilization": 100 * report.probe_rps / quota_rps if share else None,
        "BreakerOpen": int(report.hold_reason is not None),
        "HeartbeatDollars": report.heartbeats * MESSAGE_DOLLARS,
    }
    return {name: value for name, value in values.items() if value is not None}
