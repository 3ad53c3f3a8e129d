"""Deaf clients on real sockets: a stopped process whose socket stays open, and a slow one."""

from __future__ import annotations

import asyncio
import json
import time

from deploy.chat.frozen import FrozenClient
from deploy.chat.handlers.authorizer import sign_token
from tests.support import faulty_gateway as faults
from tests.support.cloud import TOKEN_SECRET
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import zombie


def test_a_stopped_client_is_closed_and_evicted_and_a_slow_one_is_not(cloud, chat, tmp_path):
    clients = chat.connect(3)
    clients[0].pong_after_seconds = 1.2
    staying = cloud.ids(chat.table)
    token = sign_token("frozen", TOKEN_SECRET, time.time() + 600)
    environment = cloud.environment(
        chat.table,
        chat.endpoint,
        REAPER_HEARTBEAT_MODE="always",
        REAPER_FRESH_SECONDS="0",
        REAPER_PONG_TIMEOUT_SECONDS="3",
        REAPER_MAX_MISSED_PONGS="2",
        REAPER_AUDIT_LOG=str(tmp_path / "audit.jsonl"),
    )

    def sweep():
        return chat.run(asyncio.to_thread(cloud.reaper, "sweep", "--json", environment=environment))

    with FrozenClient(chat.endpoint.replace("http://", "ws://"), token) as frozen:
        first, second, third = sweep(), sweep(), sweep()
        slept_through = frozen.thaw()

    assert [done.code for done in (first, second, third)] == [0, 0, 0]
    assert [done.report["evicted"] for done in (first, second, third)] == [0, 1, 0]
    assert [done.report["alive"] for done in (first, second, third)] == [4, 3, 3]
    assert cloud.ids(chat.table) == staying
    assert slept_through == 2
    assert all(client.is_open for client in clients)
    (line,) = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert (line["reason"], line["evidence"]["missed_pongs"]) == ("deaf", 2)
    missed = [entry for entry in first.log if entry["event"] == "missed pong"]
    assert [entry["missed"] for entry in missed] == [1]


def test_an_application_that_notes_no_pongs_loses_nobody(cloud, chat):
    """Its rows never change, so every client looks deaf: that tells of it, not of them."""
    chat.connect(2)
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *({"connectionId": row["connectionId"]} for row in cloud.rows(chat.table)))
    environment = cloud.environment(
        table,
        chat.endpoint,
        REAPER_HEARTBEAT_MODE="always",
        REAPER_PONG_TIMEOUT_SECONDS="0.5",
        REAPER_MAX_MISSED_PONGS="1",
    )
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "too-many-gone")
    assert (done.report["evicted"], len(cloud.rows(table))) == (0, 2)
    (told,) = [entry for entry in done.log if entry["event"] == "deaf evictions are held"]
    assert "REAPER_LAST_SEEN_ATTRIBUTE" in told["cure"]


def test_a_permission_to_close_that_is_missing_keeps_the_row(cloud, chat, tmp_path):
    """The gateway behind takes heartbeats and refuses DELETE."""
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("deaf"), zombie("healthy"))

    def refuses_to_close(handler):
        if handler.command == "POST":
            seen = {"lastSeenAt": {"N": str(int(time.time() * 1000))}}
            cloud.put(table, zombie("healthy", **seen))
        (faults.denied if handler.command == "DELETE" else faults.alive)(handler)

    with FaultyGateway(default=refuses_to_close) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_HEARTBEAT_MODE="always",
            REAPER_PONG_TIMEOUT_SECONDS="0.5",
            REAPER_MAX_MISSED_PONGS="1",
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["failed"], done.report["evicted"]) == (1, 1, 0)
    assert "for DELETE on @connections/*" in done.stderr
    assert cloud.ids(table) == {"deaf", "healthy"}
