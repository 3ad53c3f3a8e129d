"""``reaper sweep`` as users run it: a process, real sockets, a real table API."""

from __future__ import annotations

import pytest

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import LIVING, living, zombie

FIELDS = [
    "scanned",
    "newborn",
    "fresh",
    "expired",
    "foreign",
    "malformed",
    "due",
    "checks",
    "heartbeats",
    "alive",
    "gone",
    "confirmed",
    "unknown",
    "denied",
    "throttled",
    "evicted",
    "changed",
    "held",
    "failed",
    "pending",
    "hold_reason",
    "dry_run",
    "complete",
    "seconds",
    "probe_rps",
    "api_calls",
    "messages",
    "heartbeat_message_ratio",
]


def test_zombies_go_and_live_clients_keep_their_rows_and_sockets(cloud, chat):
    clients = chat.connect(5)
    live = cloud.ids(chat.table)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="), zombie("a+b/c?d#e&f g="))
    environment = cloud.environment(
        chat.table, chat.endpoint, REAPER_HEARTBEAT_MODE="always", REAPER_FRESH_SECONDS="0"
    )
    done = cloud.reaper("sweep", "--json", environment=environment)
    chat.listen_until(lambda: [client.heartbeats for client in clients] == [1] * 5)

    assert done.code == 0
    assert list(done.report) == FIELDS
    assert cloud.ids(chat.table) == live
    assert all(client.is_open for client in clients)
    expected = {"scanned": 7, "due": 7, "alive": 5, "gone": 2, "confirmed": 2, "evicted": 2}
    expected |= {"heartbeats": 5, "held": 0, "failed": 0, "pending": 0, "complete": True}
    assert done.report | expected == done.report
    assert done.report["hold_reason"] is None


def test_a_dry_run_changes_nothing(cloud, chat):
    clients = chat.connect(3)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    before = cloud.rows(chat.table)
    environment = cloud.environment(chat.table, chat.endpoint, REAPER_FRESH_SECONDS="0")
    done = cloud.reaper("sweep", "--dry-run", "--json", environment=environment)
    chat.listen(0.5)

    assert done.code == 0
    assert cloud.rows(chat.table) == before
    assert [client.heartbeats for client in clients] == [0] * 3
    assert (done.report["dry_run"], done.report["evicted"]) == (True, 1)
    assert '"audit"' not in done.stdout


def test_the_wrong_api_evicts_nothing_and_says_why(cloud, chat, lone_api):
    chat.connect(3)
    before = cloud.rows(chat.table)
    environment = cloud.environment(chat.table, lone_api, REAPER_FRESH_SECONDS="0")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.code == 3
    assert done.report["hold_reason"] == "unproven-endpoint"
    assert (done.report["held"], done.report["evicted"]) == (3, 0)
    assert cloud.rows(chat.table) == before
    (hold,) = [entry for entry in done.log if entry["event"] == "evictions are held"]
    assert "REAPER_API_ENDPOINT" in hold["cure"]


def test_trust_endpoint_evicts_all_the_same_and_says_so_first(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), zombie("b"))
    environment = cloud.environment(table, lone_api)
    done = cloud.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert (done.code, done.report["evicted"]) == (0, 2)
    events = [entry["event"] for entry in done.log]
    said = ["endpoint trusted by --trust-endpoint", "evicting on your word", "evicted"]
    assert list(dict.fromkeys(event for event in events if event in said)) == said


@pytest.mark.parametrize("range_key", [("joinedAt", "N"), ("room", "S")])
def test_a_table_with_a_range_key(cloud, range_key):
    name, kind = range_key
    table = cloud.make_table(("connectionId", "S"), range_key)
    cloud.put(table, zombie("a", **{name: {kind: "17"}}), zombie("b", **{name: {kind: "18"}}))
    cloud.put(table, *living(**{name: {kind: "19"}}))
    with FaultyGateway({"a": faults.gone, "b": faults.gone}) as server:
        done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, server.url))

    assert done.report["evicted"] == 2
    assert cloud.ids(table) == {*LIVING}


@pytest.mark.parametrize(
    "projection",
    [
        {"ProjectionType": "ALL"},
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["connectedAt"]},
    ],
)
def test_an_index_is_scanned_and_the_row_behind_it_evicted(cloud, lone_api, projection):
    table = cloud.make_indexed_table(projection)
    cloud.put(table, zombie("a", pk={"S": "USER#1"}), {"pk": {"S": "USER#2"}})
    environment = cloud.environment(table, lone_api, REAPER_TABLE_INDEX="by-connection")
    done = cloud.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert (done.report["scanned"], done.report["evicted"]) == (1, 1)
    assert [row["pk"]["S"] for row in cloud.rows(table)] == ["USER#2"]


def test_where_nobody_lives_expired_rows_wait_too(cloud, lone_api):
    """Their age is only what the rows say of it."""
    table = cloud.make_table(("connectionId", "S"))
    ancient = {"S": "2026-01-01T00:00:00Z"}
    cloud.put(table, *(zombie(f"old-{n}", connectedAt=ancient) for n in range(60)), zombie("young"))
    done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, lone_api))

    assert (done.code, done.report["hold_reason"]) == (3, "unproven-endpoint")
    assert (done.report["expired"], done.report["evicted"], done.report["held"]) == (60, 0, 61)
    (hold,) = [entry for entry in done.log if entry["event"] == "evictions are held"]
    assert "2 h 5 min" in hold["what_ends_it"]


def test_living_connections_whose_age_is_misread_keep_their_rows(cloud, chat):
    chat.connect(3)
    for row in cloud.rows(chat.table):
        cloud.put(
            chat.table, {"connectionId": row["connectionId"], "connectedAt": {"N": "1600000000"}}
        )
    done = cloud.reaper("sweep", "--json", environment=cloud.environment(chat.table, chat.endpoint))

    assert (done.code, done.report["hold_reason"]) == (0, None)
    assert (done.report["expired"], done.report["alive"], len(cloud.rows(chat.table))) == (3, 3, 3)
    (told,) = [entry for entry in done.log if entry["event"] == "connection time refuted"]
    assert told["variable"] == "REAPER_CONNECTED_AT_ATTRIBUTE"


def test_an_empty_table_is_nothing_special(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, lone_api))

    assert (done.code, done.report["scanned"], done.report["hold_reason"]) == (0, 0, None)


def test_more_rows_than_a_page_are_all_swept(cloud, chat, tmp_path):
    chat.connect(3)
    table = cloud.make_table(("connectionId", "S"))
    live = list(cloud.rows(chat.table))
    cloud.put(table, *live, *(zombie(f"z{n:04}", note={"S": "x" * 2000}) for n in range(1200)))
    audit = tmp_path / "audit.jsonl"
    environment = cloud.environment(
        table,
        chat.endpoint,
        REAPER_MAX_GONE_FRACTION="1",
        REAPER_QUOTA_SHARE="0.03",
        REAPER_PROBE_TIMEOUT_SECONDS="10",
        REAPER_FRESH_SECONDS="0",
        REAPER_AUDIT_LOG=str(audit),
    )
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.report["evicted"] == 1200
    assert cloud.ids(table) == {row["connectionId"]["S"] for row in live}
    assert len(audit.read_text().splitlines()) == 1200


def test_a_full_disk_for_the_audit_log_evicts_nothing(cloud, chat):
    chat.connect(3)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    environment = cloud.environment(
        chat.table, chat.endpoint, REAPER_AUDIT_LOG="/dev/full", REAPER_FRESH_SECONDS="0"
    )
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["failed"], done.report["evicted"]) == (1, 1, 0)
    assert "R0oXAdfD0kwCH6w=" in cloud.ids(chat.table)
    assert "No space left" in done.stderr
