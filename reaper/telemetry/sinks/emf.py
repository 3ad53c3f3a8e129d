"""CloudWatch's embedded metric format: one line of JSON per sweep, which becomes metrics."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import structlog

from reaper.core.report.swept import Swept
from reaper.telemetry.sinks.metrics import UNITS, metrics

log = structlog.get_logger()


class EmfSink:
    """Writes to stdout, where the awslogs driver takes it to CloudWatch.

    The one dimension is the table: CloudWatch bills every combination of dimensions.
    """

    def __init__(
        self,
        namespace: str,
        table: str,
        quota_rps: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._namespace = namespace
        self._table = table
        self._quota_rps = quota_rps
        self._wall_clock = wall_clock

    def publish(self, swept: Swept) -> None:
        report = swept.report
        known = metrics(swept, self._quota_rps)
        document = {
            "_aws": {
                "Timestamp": int(self._wall_clock() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": [["TableName"]],
                        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in known],
                    }
                ],
            },
            "TableName": self._table,
            "Result": swept.outcome.value,
            "HoldReason": report and report.hold_reason,
            "DryRun": report and report.dry_run,
            **known,
        }
        try:
            sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
            sys.stdout.flush()
        except OSError as error:
            log.error("metrics not written to stdout", why=str(error))

    def close(self, timeout_seconds: float) -> None:
        """Nothing waits."""
