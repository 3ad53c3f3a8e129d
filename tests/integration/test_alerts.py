"""Alerts as they arrive at a Sentry: kent, a real HTTP double."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.chat.standin import free_port
from reaper.core.report.condition import Condition, State
from reaper.core.report.outage import Over
from reaper.core.report.troubles import Kind, Level, Trouble
from reaper.telemetry.alerts import Alerts, Watched
from tests.support import faulty_gateway as faults
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import sweeps
from tests.support.rows import living, zombie
from tests.support.waiting import eventually

REGION = "us-east-1"


class Kent:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.dsn = f"http://public@127.0.0.1:{port}/1"

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return json.load(response)

    def flush(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/api/flush/", method="POST"))

    def bodies(self) -> list[dict]:
        """Everything that arrived, events and check-ins, oldest first."""
        listed = self.get("/api/eventlist/")["events"]
        payloads = [self.get(f"/api/event/{one['event_id']}")["payload"] for one in listed]
        return [payload["body"] for payload in payloads]

    def events(self, kind: str = "") -> list[dict]:
        """Of one kind, or all."""
        raised = [body for body in self.bodies() if "fingerprint" in body]
        return [event for event in raised if kind in ("", event["fingerprint"][1])]

    def checkins(self) -> list[dict]:
        return [body for body in self.bodies() if "monitor_slug" in body]


@pytest.fixture(scope="module")
def running_kent():
    port = free_port()
    kent_server = str(Path(sys.executable).with_name("kent-server"))
    process = subprocess.Popen(
        [kent_server, "run", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kent = Kent(port)

    def answers() -> bool:
        try:
            return "events" in kent.get("/api/eventlist/")
        except OSError:
            return False

    try:
        eventually(answers)
        yield kent
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def kent(running_kent):
    running_kent.flush()
    return running_kent


def alerting(cloud, kent, table: str, endpoint: str, **settings: str) -> dict[str, str]:
    return cloud.environment(
        table, endpoint, SENTRY_DSN=kent.dsn, REAPER_HEARTBEAT_MODE="off", **settings
    )


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [(faults.gone, "evictions-held"), (faults.denied, "access-denied")],
)
def test_what_the_breaker_holds_raises_one_alert_with_the_numbers(cloud, kent, behaviour, kind):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"secret-id-{n}") for n in range(25)))
    with FaultyGateway(default=behaviour) as server:
        cloud.reaper("sweep", environment=alerting(cloud, kent, table, server.url))

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", kind, REGION, table]
    assert event["contexts"]["sweep"]["scanned"] == 25
    assert kind in (event.get("logentry") or event)["message"]


def test_an_audit_log_that_cannot_be_written_raises_an_alert(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, SENTRY_DSN=kent.dsn, REAPER_AUDIT_LOG="/dev/full"
        )
        assert cloud.reaper("sweep", "--json", environment=environment).code == 1

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", "sweep-failed", REGION, table]
    assert "No space left on device" in event["message"]
    assert event["contexts"]["sweep"]["failed"] == 1


def test_a_table_that_is_not_there_raises_one_alert(cloud, kent):
    table = "nowhere"
    cloud.reaper("sweep", environment=alerting(cloud, kent, table, "https://a.invalid/p"))

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", "table-unreachable", REGION, table]


def test_a_table_that_is_not_as_it_is_set_raises_one_alert(cloud, kent):
    """It was reached, so whoever is called looks at the settings first."""
    table = cloud.make_table(("connectionId", "S"))
    environment = alerting(cloud, kent, table, "https://a.invalid/p", REAPER_EVICT_ACTION="clear")
    cloud.reaper("sweep", environment=environment)

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", "sweep-failed", REGION, table]
    assert "REAPER_EVICT_ACTION" in event["message"]


def test_a_quota_that_is_used_up_raises_an_alert(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("throttled"), *(zombie(f"live-{n}") for n in range(9)))
    with FaultyGateway({"throttled": faults.throttled}) as server:
        cloud.reaper("sweep", environment=alerting(cloud, kent, table, server.url))

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", "throttled", REGION, table]
    assert event["contexts"]["sweep"]["throttled"] == 1


def test_a_ratio_above_its_limit_raises_an_alert(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"live-{n}", messageCount={"N": "30"}) for n in range(10)))
    settings = {"REAPER_MAX_HEARTBEAT_RATIO": "0.01", "REAPER_HEARTBEAT_MODE": "always"}
    with FaultyGateway() as server:
        environment = alerting(cloud, kent, table, server.url) | settings
        cloud.reaper("sweep", environment=environment)

    (event,) = kent.events()
    assert event["fingerprint"] == ["reaper", "ratio-exceeded", REGION, table]
    assert event["contexts"]["sweep"]["heartbeats"] == 10
    assert "REAPER_MAX_HEARTBEAT_RATIO=0.01" in event["message"]


def test_no_alert_carries_a_connection_id_a_payload_or_an_address(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"secret-id-{n}", ip={"S": "203.0.113.7"}) for n in range(5)))
    settings = {"REAPER_AUDIT_LOG": "/dev/full", "REAPER_HEARTBEAT_PAYLOAD": "secret-payload"}
    with FaultyGateway(default=faults.gone) as server:
        environment = alerting(cloud, kent, table, server.url) | settings
        cloud.reaper("sweep", environment=environment)
        cloud.reaper("sweep", "--trust-endpoint", environment=environment)

    assert {event["fingerprint"][1] for event in kent.events()} == {
        "evictions-held",
        "sweep-failed",
    }
    everything = json.dumps(kent.bodies())
    for secret in ("secret-id", "secret-payload", "203.0.113.7"):
        assert secret not in everything


def test_a_kind_is_alerted_once_per_cooldown(cloud, kent, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"))
    log = tmp_path / "log"
    with FaultyGateway(default=faults.gone) as server:
        environment = alerting(cloud, kent, table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="0.5")
        with daemon(environment, log) as process:
            eventually(lambda: len(sweeps(log)) >= 4)
            process.terminate()
            process.wait(10)

    kinds = Counter(event["fingerprint"][1] for event in kent.events())
    assert kinds["evictions-held"] == 1


def test_an_alert_tells_of_the_sweeps_before_it(cloud, kent, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"secret-id-{n}") for n in range(5)))
    log = tmp_path / "log"
    with FaultyGateway() as server:
        environment = alerting(cloud, kent, table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="2")
        with daemon(environment, log) as process:
            eventually(lambda: len(sweeps(log)) >= 2)
            cloud.dynamodb.delete_table(TableName=table)
            eventually(lambda: kent.events(kind="table-unreachable"))
            process.terminate()
            process.wait(10)

    (event,) = kent.events(kind="table-unreachable")
    crumbs = event["breadcrumbs"]["values"]
    assert len(crumbs) >= 2
    assert {crumb["data"]["alive"] for crumb in crumbs} == {5}
    assert "secret-id" not in json.dumps(event)


def test_the_cron_monitor_is_made_from_the_settings(cloud, kent, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    log = tmp_path / "log"
    environment = alerting(cloud, kent, table, lone_api, REAPER_SWEEP_INTERVAL_SECONDS="300")
    with daemon(environment, log) as process:
        eventually(lambda: sweeps(log))
        process.terminate()
        process.wait(10)

    begun, ended = kent.checkins()
    assert (begun["status"], ended["status"]) == ("in_progress", "ok")
    assert begun["check_in_id"] == ended["check_in_id"]
    assert begun["monitor_slug"] == Watched(REGION, table).slug
    assert begun["monitor_config"]["schedule"] == {
        "type": "interval",
        "value": 5,
        "unit": "minute",
    }


def test_a_test_alert_arrives_and_is_told(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    environment = alerting(cloud, kent, table, "https://a.invalid/p")
    done = cloud.reaper("check", "--send-test-alert", environment=environment)

    assert (done.code, done.stdout) == (
        0,
        "✓ sent, and answered with 200: look for the test alert in Sentry\n",
    )
    (event,) = kent.events(kind="test")
    assert event["level"] == "info"
    assert event["message"].startswith("test: ")


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("", "SENTRY_DSN is not set"),
        ("not a dsn", "SENTRY_DSN is not set, or not usable"),
        ("http://public@127.0.0.1:9/1", "Sentry did not take it (network): correct SENTRY_DSN"),
    ],
)
def test_a_test_alert_that_does_not_arrive_is_told(cloud, dsn, told):
    environment = cloud.environment("t", "https://a.invalid/p", SENTRY_DSN=dsn)
    done = cloud.reaper("check", "--send-test-alert", environment=environment)

    assert done.code == 1
    assert told in done.stdout


def test_an_alert_says_all_that_whoever_is_woken_needs(cloud, kent):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"secret-id-{n}") for n in range(5)))
    with FaultyGateway(default=faults.gone) as server:
        environment = alerting(cloud, kent, table, server.url, SENTRY_ENVIRONMENT="staging")
        done = cloud.reaper("sweep", environment=environment)

    (event,) = kent.events()
    assert event["level"] == "warning"
    assert event["environment"] == "staging"
    (held,) = [line for line in done.log if line["event"] == "evictions are held"]
    for said in (held["why"], held["cure"], "docs/runbook.md#evictions-held"):
        assert said in event["message"]
    tags = {"region": REGION, "table": table, "endpoint": server.url, "dry_run": "false"}
    assert event["tags"] | tags == event["tags"]


def test_what_has_become_worse_is_told_at_once_and_a_second_outage_too():
    raised = []
    clock = SimpleNamespace(now=0.0)
    alerts = Alerts(Watched("r", "t"), 900, 300, lambda: clock.now)
    alerts._send = lambda kind, message, level, *_: raised.append((kind, level))
    held = Trouble(Kind.EVICTIONS_HELD, "held", "wait", Level.WARNING)
    alerts.recovered(Over(Condition(State.DEGRADED, 0, "", ""), 10))
    for trouble in (held, held, replace(held, level=Level.FATAL), held):
        alerts.alert(trouble, State.DEGRADED)
    assert raised == [("evictions-held", "warning"), ("evictions-held", "fatal")]
    alerts.recovered(Over(Condition(State.FAILING, 0, "", ""), 10))
    alerts.alert(held, State.DEGRADED)
    assert raised[2:] == [("recovered", "info"), ("evictions-held", "warning")]
    clock.now = 901
    alerts.alert(held, State.DEGRADED)
    assert len(raised) == 5


def test_recovery_is_told_once(cloud, kent, tmp_path):
    table, log = cloud.make_table(("connectionId", "S")), tmp_path / "log"
    cloud.put(table, *(zombie(f"secret-id-{n}") for n in range(5)))
    with FaultyGateway(default=faults.gone) as server:
        environment = alerting(cloud, kent, table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="2")
        with daemon(environment, log) as process:
            eventually(lambda: kent.events(kind="evictions-held"))
            server.default = faults.alive
            eventually(lambda: kent.events(kind="recovered"))
            seen = len(sweeps(log))
            eventually(lambda: len(sweeps(log)) >= seen + 2)
            process.terminate()
            process.wait(10)

    (event,) = kent.events(kind="recovered")
    assert event["level"] == "info"
    assert "ok again" in event["message"]
    assert "evictions are held" in event["message"]


def test_no_two_tables_or_regions_share_a_monitor():
    """CDK's names differ at their end, and one name may be in two Regions."""
    long = "ChatStack-WebSocketConnectionsTableForProduction-"
    watched = [
        Watched("us-east-1", f"{long}1ABCDEF"),
        Watched("us-east-1", f"{long}1ABCDEG"),
        Watched("eu-west-1", f"{long}1ABCDEF"),
        Watched("us-east-1", "a.b"),
        Watched("us-east-1", "a_b"),
    ]
    slugs = {one.slug for one in watched}
    assert len(slugs) == 5
    assert all(len(slug) <= 50 for slug in slugs)
    assert "reaper-us-east-1-chatstack" in Watched("us-east-1", f"{long}1ABCDEF").slug


def test_a_wrong_dsn_is_a_warning_and_nothing_else(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, SENTRY_DSN="not a dsn")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.code == 0
    assert "SENTRY_DSN is not usable" in done.stderr


def test_a_sentry_that_is_away_holds_up_nothing(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    dsn = f"http://public@127.0.0.1:{free_port()}/1"
    started = time.monotonic()
    environment = cloud.environment(table, lone_api, SENTRY_DSN=dsn)
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.code == 0
    assert time.monotonic() - started < 8
