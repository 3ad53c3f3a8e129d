"""CloudWatch: how many messages the application sent, and whether metrics may be put."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import boto3
import structlog

from reaper.aws.service_errors import AWS_FAULTS, error_response, fault_of
from reaper.aws.session import API_CONFIG
from reaper.core.errors import Fault, MessagesUnknown
from reaper.core.evidence.births import Window
from reaper.core.report.ratio import PerMinute
from reaper.core.rows.endpoint import Endpoint

log = structlog.get_logger()

PERIOD_SECONDS = 60
"""The finest period of AWS/ApiGateway metrics."""

SETTLING_SECONDS = 120
"""The newest datapoints still grow; those older than this do no more."""


class MetricsUnsent(Fault):
    """CloudWatch does not take metrics."""


class CloudWatchMessages:
    """Counts from ``MessageCount``, which holds messages both ways, the reaper's POSTs included.

    It comes by the minute, and late. So the window is as many whole minutes as a sweep interval
    needs, and ends where the datapoints have settled; what it holds is scaled to the interval. The
    POSTs in it that are known of are taken off: those of this process, and by them an estimate for
    the workers who share its sweeps. Those of any other process are not known here.
    """

    def __init__(self, session: boto3.Session, region: str, interval_seconds: float) -> None:
        self._client = session.client("cloudwatch", region_name=region, config=API_CONFIG)
        self._interval_seconds = interval_seconds
        minutes = math.ceil(interval_seconds / PERIOD_SECONDS)
        self._window_seconds = minutes * PERIOD_SECONDS
        self._own = PerMinute(minutes + math.ceil(SETTLING_SECONDS / PERIOD_SECONDS) + 1)

    def note_heartbeats(self, total: float, at: float) -> None:
        """So many POSTs have been sent since this process began. To be told often."""
        self._own.note(total, at)

    def count(self, endpoints: Iterable[Endpoint], now: float) -> int:
        """The application's messages in as long as an interval. Raises MessagesUnknown."""
        end = (now - SETTLING_SECONDS) // PERIOD_SECONDS * PERIOD_SECONDS
        start = end - self._window_seconds
        counted = self._message_count(endpoints, start, end) - self._own.between(start, end)
        return max(0, round(counted * self._interval_seconds / self._window_seconds))

    def connects(self, endpoint: Endpoint, window: Window) -> int | None:
        """How many clients connected to an API; None where CloudWatch does not tell."""
        start, end = window.seconds
        try:
            values = self._values([_query("m0", endpoint, "ConnectCount")], start, end)
        except MessagesUnknown as error:
            log.info("connects not counted", why=str(error))
            return None
        return round(sum(values)) if values else None

    def _message_count(self, endpoints: Iterable[Endpoint], start: float, end: float) -> float:
        named = enumerate(endpoints)
        queries = [_query(f"m{n}", endpoint, "MessageCount") for n, endpoint in named]
        return sum(self._values(queries, start, end)) if queries else 0

    def _values(self, queries: list[Any], start: float, end: float) -> list[float]:
        """All values of some metrics, in epoch seconds' time. Raises MessagesUnknown."""
        try:
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(start, UTC),
                EndTime=datetime.fromtimestamp(end, UTC),
            )
            results = [one for page in pages for one in page.get("MetricDataResults", ())]
        except AWS_FAULTS as error:
            permission = "cloudwatch:GetMetricData"
            raise fault_of(error, permission, permission, MessagesUnknown) from None
        told = {one["Id"] for one in results if one.get("StatusCode") == "Complete"}
        if len(told) < len(queries):
            raise MessagesUnknown("CloudWatch GetMetricData did not tell all")
        return [value for one in results for value in one["Values"]]


def _query(query_id: str, endpoint: Endpoint, metric: str) -> Any:
    if endpoint.api_id is None or endpoint.stage is None:
        raise MessagesUnknown(
            f"{endpoint.host} does not tell its API id, by which CloudWatch counts messages",
            "set REAPER_MESSAGE_SOURCE=attribute or none",
        )
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApiGateway",
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "ApiId", "Value": endpoint.api_id},
                    {"Name": "Stage", "Value": endpoint.stage},
                ],
            },
            "Period": PERIOD_SECONDS,
            "Stat": "Sum",
        },
    }


def try_put_metrics(session: boto3.Session, region: str, namespace: str) -> None:
    """Put no metric at all: it is refused for want of a permission before it is found empty.

    Raises MetricsUnsent.
    """
    client = session.client("cloudwatch", region_name=region, config=API_CONFIG)
    try:
        client.put_metric_data(Namespace=namespace, MetricData=[])
    except AWS_FAULTS as error:
        code = str(error_response(error).get("Code"))
        if "Parameter" not in code and "Validation" not in code:
            permission = "cloudwatch:PutMetricData"
            raise fault_of(error, permission, permission, MetricsUnsent) from None
