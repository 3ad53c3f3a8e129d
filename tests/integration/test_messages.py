"""Messages from CloudWatch, and the EMF line that carries the ratio."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import boto3
import pytest

from deploy.chat.standin import free_port
from reaper.aws.cloudwatch import SETTLING_SECONDS, CloudWatchMessages
from reaper.config.environment import load_settings
from reaper.core.errors import MessagesUnknown
from reaper.core.rows.endpoint import parse_endpoint
from reaper.sweep.beside import LaneThreads
from reaper.sweep.ports import Outside
from reaper.telemetry.audit import AuditLog
from reaper.wiring import make_clients
from reaper.worker import Worker
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import sweeps
from tests.support.rows import zombie
from tests.support.waiting import eventually

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


def test_the_heartbeats_of_all_sweeps_of_a_process_are_known(cloud, monkeypatch, tmp_path):
    """They are to be taken off for as long as their minutes are asked for."""
    table, noted = cloud.make_table(("connectionId", "S")), []
    cloud.put(table, *(zombie(f"l{n}") for n in range(4)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_HEARTBEAT_MODE="always")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings = load_settings("us-east-1")
        source = SimpleNamespace(
            note_heartbeats=lambda total, at: noted.append(total), count=lambda *_: 0
        )
        with closing(make_clients(settings, boto3.Session())) as clients:
            audit = AuditLog("/dev/null")
            beside = LaneThreads()
            outside = Outside(clients.table, clients.gateway, audit, beside, messages=source)
            worker = Worker(settings, "us-east-1", outside)
            for _ in range(3):
                worker.sweep(spread=False)
    assert noted == sorted(noted)
    assert noted[-1] in (8, 12)
    assert {4, 8} <= set(noted)


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


@pytest.mark.parametrize(
    "body",
    [
        b"<html>please log in</html>",
        b"",
        b'{"MetricDataResults": []}',
        b'{"MetricDataResults": [{"Id": "m0", "Values": [], "StatusCode": "InternalError"}]}',
        b'{"MetricDataResults": [{"Id": "m0", "Values": [1], "StatusCode": "PartialData"}]}',
    ],
)
def test_an_answer_that_does_not_tell_all_is_no_count(cloud, metered, monkeypatch, body):
    """Not zero messages, which would say that any heartbeat is one too many."""
    with answering(body) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        messages = CloudWatchMessages(cloud.session, "us-east-1", interval_seconds=60)
        with pytest.raises(MessagesUnknown):
            messages.count([metered], time.time())


@contextmanager
def answering(body: bytes):
    """A server that answers 200 and this, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            """Nobody wants to know."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_emf_line_is_valid_and_carries_the_ratio(cloud, chat):
    clients = chat.connect(2)
    chat.run(clients[0].say("one"))
    chat.run(clients[0].say("two"))
    chat.listen_until(lambda: clients[1].received == 2)
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
            "ChecksSent": line["ChecksSent"],
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


def test_metrics_are_put_to_cloudwatch(cloud, chat, tmp_path):
    clients = chat.connect(2)
    chat.run(clients[0].say("one"))
    chat.listen_until(lambda: clients[1].received == 1)
    environment = cloud.environment(
        chat.table,
        chat.endpoint,
        REAPER_METRICS="cloudwatch",
        REAPER_HEARTBEAT_MODE="always",
        REAPER_METRICS_NAMESPACE="Put",
        REAPER_FRESH_SECONDS="0",
    )
    done = cloud.reaper("sweep", "--json", environment=environment)
    assert "_aws" not in done.stdout
    assert put_to_cloudwatch(cloud, chat.table) == {
        "HeartbeatsSent": 2,
        "ChecksSent": 0,
        "Messages": 1,
        "HeartbeatMessageRatio": 2,
        "LiveConnections": 2,
        "SweepShare": 1,
        "ZombiesEvicted": 0,
        "ZombiesHeld": 0,
        "UnknownProbes": 0,
        "SweepSeconds": pytest.approx(done.report["seconds"]),
        "QuotaUtilization": pytest.approx(done.report["probe_rps"] / 100),
        "BreakerOpen": 0,
        "HeartbeatDollars": pytest.approx(2e-6),
        "SweepsFailed": 0,
        "EvictionsFailed": 0,
    }


def put_to_cloudwatch(cloud, table: str) -> dict[str, float]:
    """The sum of each metric of a table in the namespace Put."""
    cloudwatch = cloud.session.client("cloudwatch", endpoint_url=cloud.standin.url)
    dimension = {"Name": "TableName", "Value": table}
    names = [
        metric["MetricName"]
        for metric in cloudwatch.list_metrics(Namespace="Put")["Metrics"]
        if dimension in metric["Dimensions"]
    ]
    now = time.time()
    return {
        name: sum(
            point["Sum"]
            for point in cloudwatch.get_metric_statistics(
                Namespace="Put",
                MetricName=name,
                Dimensions=[dimension],
                StartTime=datetime.fromtimestamp(now - 600, UTC),
                EndTime=datetime.fromtimestamp(now + 60, UTC),
                Period=60,
                Statistics=["Sum"],
            )["Datapoints"]
        )
        for name in names
    }


def test_a_cloudwatch_that_is_away_holds_up_no_sweep_and_gets_what_it_missed(
    cloud, lone_api, tmp_path
):
    table = cloud.make_table(("connectionId", "S"))
    log, port = tmp_path / "log", free_port()
    environment = cloud.environment(
        table,
        lone_api,
        REAPER_METRICS="cloudwatch",
        REAPER_METRICS_NAMESPACE="Put",
        REAPER_SWEEP_INTERVAL_SECONDS="0.5",
        AWS_ENDPOINT_URL_CLOUDWATCH=f"http://127.0.0.1:{port}",
    )
    with daemon(environment, log) as process:
        eventually(lambda: "metrics not sent" in log.read_text())
        eventually(lambda: len(sweeps(log)) >= 5)
        with forwarding(port, cloud.standin.port):
            eventually(lambda: put_to_cloudwatch(cloud, table).get("SweepSeconds"))
            swept = len(sweeps(log))
            process.terminate()
            assert process.wait(10) == 0
    seconds = [report["seconds"] for report in sweeps(log)][: swept - 1]
    assert put_to_cloudwatch(cloud, table)["SweepSeconds"] >= sum(seconds)


@contextmanager
def forwarding(port: int, to: int):
    """A port that leads to another one."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORWARDER, str(port), str(to)], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


FORWARDER = """
import asyncio, sys

async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()

async def serve(reader, writer):
    there, back = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pump(reader, back), pump(there, writer))

async def main():
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))).serve_forever()

asyncio.run(main())
"""


def test_without_a_message_the_ratio_is_absent(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_MESSAGE_SOURCE="none")
    done = cloud.reaper("sweep", "--json", environment=environment)
    (line,) = [json.loads(one) for one in done.stdout.splitlines() if '"_aws"' in one]

    assert (done.report["messages"], done.report["heartbeat_message_ratio"]) == (None, None)
    names = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names.isdisjoint({"Messages", "HeartbeatMessageRatio"})


def connects(cloud, chat, count: int) -> None:
    """CloudWatch tells of so many clients that connected twenty minutes ago."""
    then = time.time() // 60 * 60 - 1200
    dimensions = [
        {"Name": "ApiId", "Value": chat.chat.api_id},
        {"Name": "Stage", "Value": chat.chat.stage},
    ]
    datum = {"MetricName": "ConnectCount", "Dimensions": dimensions, "Value": count}
    cloud.session.client("cloudwatch", endpoint_url=cloud.standin.url).put_metric_data(
        Namespace="AWS/ApiGateway",
        MetricData=[datum | {"Timestamp": datetime.fromtimestamp(then, UTC)}],
    )


def test_a_table_into_which_another_api_writes_is_held_and_check_says_so(cloud, chat):
    """More rows were born than clients connected."""
    chat.connect(6)
    twenty_minutes_ago = {"N": str(int((time.time() - 1200) * 1000))}
    cloud.put(chat.table, *(zombie(f"z{n}", connectedAt=twenty_minutes_ago) for n in range(5)))
    environment = cloud.environment(
        chat.table,
        chat.endpoint,
        REAPER_MESSAGE_SOURCE="cloudwatch",
        REAPER_FRESH_SECONDS="0",
        REAPER_HEARTBEAT_MODE="off",
    )
    connects(cloud, chat, 3)
    checked = cloud.reaper("check", environment=environment)
    held = cloud.reaper("sweep", "--json", environment=environment)
    connects(cloud, chat, 2)
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert checked.code == 1
    assert "5 sampled rows were born in two hours in which 3 clients connected" in checked.stdout
    assert (held.code, held.report["hold_reason"]) == (3, "shared-table")
    assert (held.report["held"], held.report["evicted"]) == (5, 0)
    assert (done.code, done.report["evicted"]) == (0, 5)
