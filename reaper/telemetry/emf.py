"""CloudWatch's embedded metric format: one line of JSON per sweep, which becomes metrics."""

from __future__ import annotations

import json
import sys
from typing import Any

from reaper.core.report import Report

POST_DOLLARS = 1e-6
"""What the gateway charges for a message of up to 32 KB: $1.00 a million (US, 2026)."""

UNITS = {
    "HeartbeatsSent": "Count",
    "ChecksSent": "Count",
    "Messages": "Count",
    "HeartbeatMessageRatio": "None",
    "LiveConnections": "Count",
    "ZombiesEvicted": "Count",
    "ZombiesHeld": "Count",
    "UnknownProbes": "Count",
    "SweepSeconds": "Seconds",
    "QuotaUtilization": "Percent",
    "BreakerOpen": "Count",
    "HeartbeatDollars": "None",
}


def emf_line(
    report: Report, *, namespace: str, table: str, quota_rps: float, now: float
) -> dict[str, Any]:
    """The metrics of a sweep as an EMF document. What is not known is left out.

    The one dimension is the table: CloudWatch bills every combination of dimensions.
    """
    values = {
        "HeartbeatsSent": report.heartbeats,
        "ChecksSent": report.checks,
        "Messages": report.messages,
        "HeartbeatMessageRatio": report.heartbeat_message_ratio,
        "LiveConnections": report.alive + report.fresh + report.newborn,
        "ZombiesEvicted": 0 if report.dry_run else report.evicted,
        "ZombiesHeld": report.held,
        "UnknownProbes": report.unknown,
        "SweepSeconds": report.seconds,
        "QuotaUtilization": 100 * report.probe_rps / quota_rps,
        "BreakerOpen": int(report.hold_reason is not None),
        "HeartbeatDollars": report.heartbeats * POST_DOLLARS,
    }
    known = {name: value for name, value in values.items() if value is not None}
    return {
        "_aws": {
            "Timestamp": int(now * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [["TableName"]],
                    "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in known],
                }
            ],
        },
        "TableName": table,
        "HoldReason": report.hold_reason,
        "DryRun": report.dry_run,
        **known,
    }


def print_emf(line: dict[str, Any]) -> None:
    """Write the document to stdout, where the awslogs driver takes it to CloudWatch."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
