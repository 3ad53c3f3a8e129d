"""Messages from CloudWatch, and the EMF line that carries the ratio."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from reaper.aws.messages import SETTLING_SECONDS, CloudWatchMessages, MessagesUnknown
from reaper.core.endpoint import parse_endpoint
from tests.integration.test_sweep import zombie

ENDPOINT = parse_endpoint("https://abc123.execute-api.us-east-1.amazonaws.com/prod", None)


@pytest.fixture
def metered(cloud, monkeypatch):
    """CloudWatch with 100 messages in each of the last ten minutes."""
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    cloudwatch = cloud.session.client("cloudwatch")
    now = time.time() // 60 * 60
    stage = f"stage{time.monotonic_ns()}"
    cloudwatch.put_metric_data(
        Namespace="AWS/ApiGateway",
        MetricData=[
            {
                "MetricName": "MessageCount",
                "Dimensions": [
                    {"Name": "ApiId", "Value": "abc123"},
                    {"Name": "Stage", "Value": stage},
                ],
                "Timestamp": datetime.fromtimestamp(now - 60 * minute, UTC),
                "Value": 100,
            }
            for minute in range(10)
        ],
    )
    return ENDPOINT._replace(stage=stage)


def test_the_settled_minutes_of_one_interval_are_counted(cloud, metered):
    """As many whole minutes as it needs, scaled to its length."""
    for seconds, counted in ((300, 500), (150, 250), (6, 10)):
        messages = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=seconds)
        assert messages.count([metered], time.time()) == counted


def test_our_own_heartbeats_are_taken_off_and_never_below_zero(cloud, metered):
    messages = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=60)
    now = time.time()
    inside = (now - SETTLING_SECONDS) // 60 * 60 - 30
    messages.note_heartbeats(1000, inside - 60)
    messages.note_heartbeats(1030, inside)
    messages.note_heartbeats(2030, now)
    assert messages.count([metered], now) == 70

    overdone = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=60)
    overdone.note_heartbeats(1000, inside)
    assert overdone.count([metered], now) == 0


def test_what_cannot_be_counted_is_said(cloud, metered):
    messages = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=60)
    custom_domain = parse_endpoint("https://ws.example.com", "us-east-1")
    with pytest.raises(MessagesUnknown, match="REAPER_MESSAGE_SOURCE"):
        messages.count([custom_domain], time.time())


def test_a_refusal_of_cloudwatch_is_no_count(cloud, metered, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    messages = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=60)
    with pytest.raises(MessagesUnknown, match="GetMetricData failed"):
        messages.count([metered], time.time())


def test_the_emf_line_is_valid_and_carries_the_ratio(cloud, chat):
    clients = chat.connect(2)
    chat.run(clients[0].say("one"))
    chat.run(clients[0].say("two"))
    chat.listen(1.5)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    environment = cloud.environment(
        chat.table, chat.endpoint, REAPER_HEARTBEAT_MODE="always", REAPER_FRESH_SECONDS="0"
    )
    done = cloud.reaper("sweep", "--json", environment=environment)
    (line,) = [json.loads(one) for one in done.stdout.splitlines() if '"_aws"' in one]

    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "ConnectionReaper"
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 30
    for metric in directive["Metrics"]:
        assert isinstance(line[metric["Name"]], int | float)
    for dimensions in directive["Dimensions"]:
        assert all(isinstance(line[name], str) for name in dimensions)
    assert (
        line
        | {
            "TableName": chat.table,
            "HeartbeatsSent": 2,
            "ChecksSent": 1,
            "Messages": 2,
            "HeartbeatMessageRatio": 1.0,
            "LiveConnections": 2,
            "ZombiesEvicted": 1,
            "ZombiesHeld": 0,
            "UnknownProbes": 0,
            "BreakerOpen": 0,
            "HeartbeatDollars": 2e-06,
        }
        == line
    )


def test_without_a_message_the_ratio_is_absent(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_MESSAGE_SOURCE="none")
    done = cloud.reaper("sweep", "--json", environment=environment)
    (line,) = [json.loads(one) for one in done.stdout.splitlines() if '"_aws"' in one]

    assert (done.report["messages"], done.report["heartbeat_message_ratio"]) == (None, None)
    names = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names.isdisjoint({"Messages", "HeartbeatMessageRatio"})
