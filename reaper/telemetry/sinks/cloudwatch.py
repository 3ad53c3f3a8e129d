"""CloudWatch's PutMetricData, on a thread of its own, so that no sweep waits for it."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from botocore.exceptions import ClientError

from reaper.core.report.swept import Swept
from reaper.telemetry.sinks.metrics import UNITS, metrics

log = structlog.get_logger()

MAX_METRICS_PER_CALL = 1000
"""Metrics that PutMetricData takes at once (CloudWatch API reference)."""

MAX_UNSENT = 12 * 288
"""A day of sweeps every five minutes; CloudWatch takes what is up to two weeks old."""


class CloudWatchSink:
    """Sends the metrics of each sweep, and with them those that could not be sent before."""

    def __init__(
        self,
        client: Any,
        namespace: str,
        table: str,
        quota_rps: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._table = table
        self._quota_rps = quota_rps
        self._wall_clock = wall_clock
        self._unsent: deque[dict[str, Any]] = deque(maxlen=MAX_UNSENT)
        self._news: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        self.failures = 0
        """Calls that did not succeed."""
        self._thread = threading.Thread(target=self._send_all, name="cloudwatch", daemon=True)
        self._thread.start()

    def publish(self, swept: Swept) -> None:
        at = datetime.fromtimestamp(self._wall_clock(), UTC)
        self._news.put(
            [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "TableName", "Value": self._table}],
                    "Timestamp": at,
                    "Value": value,
                    "Unit": UNITS[name],
                }
                for name, value in metrics(swept, self._quota_rps).items()
            ]
        )

    def close(self, timeout_seconds: float) -> None:
        self._news.put(None)
        self._thread.join(timeout_seconds)

    def _send_all(self) -> None:
        while (news := self._news.get()) is not None:
            self._unsent += news
            while self._unsent and self._send(list(self._unsent)[:MAX_METRICS_PER_CALL]):
                for _ in range(min(MAX_METRICS_PER_CALL, len(self._unsent))):
                    self._unsent.popleft()

    def _send(self, some: list[dict[str, Any]]) -> bool:
        """Whether these are done with: sent, or refused for what they hold."""
        try:
            self._client.put_metric_data(Namespace=self._namespace, MetricData=some)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
            self.failures += 1
            is_refused = isinstance(error, ClientError) and _is_about_parameters(error)
            log.warning(
                "metrics dropped" if is_refused else "metrics not sent",
                why=str(error),
                cure=None
                if is_refused
                else "they wait for the next sweep; grant cloudwatch:PutMetricData if it is denied",
                failures=self.failures,
                metrics=len(some),
            )
            return is_refused
        return True


def _is_about_parameters(error: ClientError) -> bool:
    """Whether a request was refused for what it holds, and not for who sent it or when."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return "Parameter" in code or "Validation" in code
