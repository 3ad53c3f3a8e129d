"""``reaper run``: the schedule, signals, systemd, health, and what it survives."""

from __future__ import annotations

import array
import fcntl
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request

import pytest

from deploy.chat.standin import free_port
from tests.support import faulty_gateway as faults
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import log_of, sweeps
from tests.support.preloaded import Process
from tests.support.rows import zombie
from tests.support.waiting import eventually


def test_it_sweeps_at_once_and_then_every_interval(cloud, chat, tmp_path):
    clients = chat.connect(3)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    log = tmp_path / "log"
    environment = cloud.environment(
        chat.table, chat.endpoint, REAPER_SWEEP_INTERVAL_SECONDS="1", REAPER_FRESH_SECONDS="0",
        REAPER_HEARTBEAT_INTERVAL_SECONDS="2",
    )  # fmt: skip
    with daemon(environment, log) as process:
        eventually(lambda: len(sweeps(log)) >= 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    sent = sum(report["heartbeats"] for report in sweeps(log))
    chat.listen_until(lambda: sum(client.heartbeats for client in clients) == sent)

    assert sum(report["evicted"] for report in sweeps(log)) == 1
    assert len(cloud.rows(chat.table)) == 3
    assert sent > 0


def test_sigterm_under_load_ends_it_within_ten_seconds_and_loses_nothing(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(300)))
    log = tmp_path / "log"
    with FaultyGateway({f"c{n:03}": faults.hangs for n in range(0, 300, 10)}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_PROBE_TIMEOUT_SECONDS="5", REAPER_QUOTA_RPS="500"
        )
        with daemon(environment, log) as process:
            eventually(lambda: len(server.requests) > 30)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(10)
            took = time.monotonic() - started
            asked = len(server.requests)

    assert (code, len(cloud.rows(table))) == (0, 300)
    assert took < 10
    assert asked < 330


@pytest.mark.parametrize("delay", [0.2, 0.5, 0.8, 1.2])
def test_sigterm_while_it_starts_is_not_lost(cloud, lone_api, tmp_path, delay):
    table = cloud.make_table(("connectionId", "S"))
    with daemon(cloud.environment(table, lone_api), tmp_path / "log") as process:
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_failed_sweep_never_ends_it(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    log = tmp_path / "log"
    environment = cloud.environment(table, lone_api, REAPER_SWEEP_INTERVAL_SECONDS="1")
    with daemon(environment, log) as process:
        eventually(lambda: sweeps(log))
        cloud.dynamodb.delete_table(TableName=table)
        eventually(lambda: [e for e in log_of(log) if e["event"] == "sweep failed"])
        cloud.dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        count = len(sweeps(log))
        eventually(lambda: len(sweeps(log)) > count)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    failure = next(entry for entry in log_of(log) if entry["event"] == "sweep failed")
    assert f"there is no table {table}" in failure["why"]


def test_every_change_of_the_breakers_mind_is_explained_with_its_numbers(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n}") for n in range(5)), zombie("z"))
    log, is_wrong = tmp_path / "log", [True]

    def answer(handler):
        (faults.gone if is_wrong[0] else faults.alive)(handler)

    with FaultyGateway({"z": faults.gone}, default=answer) as server:
        environment = cloud.environment(
            table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="2", REAPER_HEARTBEAT_MODE="off",
            REAPER_FRESH_SECONDS="0",
        )  # fmt: skip
        with daemon(environment, log):
            eventually(lambda: sweeps(log))
            is_wrong[0] = False
            eventually(
                lambda: [e for e in log_of(log) if "no longer held" in e["event"]], seconds=60
            )

    first = {entry["event"]: entry for entry in reversed(log_of(log))}
    held, passed = first["evictions are held"], first["evictions allowed"]
    assert (held["gone"], held["alive"], held["hold_reason"]) == (6, 0, "unproven-endpoint")
    assert (passed["gone"], passed["alive"]) == (1, 5)
    assert first["evictions are no longer held"]["held_for"] == "unproven-endpoint"
    assert cloud.ids(table) == {f"c{n}" for n in range(5)}


def test_systemd_hears_that_it_is_ready_alive_and_stopping(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(10)
        environment = cloud.environment(
            table, lone_api, NOTIFY_SOCKET=address, WATCHDOG_USEC="400000"
        )
        with daemon(environment, tmp_path / "log") as process:
            heard = [listener.recv(64) for _ in range(3)]
            process.send_signal(signal.SIGTERM)
            while heard[-1] != b"STOPPING=1":
                heard.append(listener.recv(64))
            assert process.wait(10) == 0

    assert heard[:3] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_being_stopped_and_continued_does_not_end_it(cloud, lone_api, tmp_path):
    """sigtimedwait, continued after its time is over, tells of a signal that never came."""
    table = cloud.make_table(("connectionId", "S"))
    log = tmp_path / "log"
    environment = cloud.environment(
        table, lone_api, WATCHDOG_USEC="400000", REAPER_SWEEP_INTERVAL_SECONDS="1"
    )
    with daemon(environment, log) as process:
        for _ in range(3):
            count = len(sweeps(log)) if log.exists() else 0
            eventually(lambda before=count: log.exists() and len(sweeps(log)) > before)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "Traceback" not in log.read_text()


def test_health_tells_whether_sweeps_finish(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    port = free_port()
    environment = cloud.environment(
        table,
        lone_api,
        REAPER_HTTP_BIND=f"127.0.0.1:{port}",
        REAPER_SWEEP_INTERVAL_SECONDS="0.5",
    )
    before = cloud.reaper("health", environment=environment)
    with daemon(environment, tmp_path / "log"):
        eventually(lambda: sweeps(tmp_path / "log"))
        while_well = cloud.reaper("health", environment=environment)
        cloud.dynamodb.delete_table(TableName=table)
        eventually(lambda: cloud.reaper("health", environment=environment).code == 1)
        while_failing = cloud.reaper("health", environment=environment)

    assert (before.code, while_well.code) == (1, 0)
    assert "no daemon answers" in before.stderr
    assert '"state": "failing"' in while_failing.stdout


def test_an_address_in_use_costs_the_health_page_and_nothing_else(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        environment = cloud.environment(table, lone_api, REAPER_HTTP_BIND=bind)
        with daemon(environment, tmp_path / "log"):
            eventually(lambda: sweeps(tmp_path / "log"))
    assert any("REAPER_HTTP_BIND" in entry.get("why", "") for entry in log_of(tmp_path / "log"))


def test_a_sweep_that_overruns_is_reported_and_not_doubled(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(60)))
    log = tmp_path / "log"
    with FaultyGateway() as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_SWEEP_INTERVAL_SECONDS="2.5",
            REAPER_QUOTA_RPS="20",
            REAPER_QUOTA_SHARE="1",
            REAPER_HEARTBEAT_MODE="off",
        )
        with daemon(environment, log):
            eventually(lambda: len(sweeps(log)) >= 2)
        moments = sorted(moment for moment, _, _ in server.requests)
        assert max(server.asked().values()) <= 3

    pauses = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert 0.8 < max(pauses) < 2

    (overrun, *_) = [entry for entry in log_of(log) if entry["event"] == "sweep overrun"]
    assert "REAPER_SWEEP_INTERVAL_SECONDS" in overrun["why"]


def test_ctrl_c_during_a_single_sweep_is_no_surprise(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(100)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_QUOTA_RPS="100")
        process = subprocess.Popen(
            [sys.executable, "-m", "reaper", "sweep", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: server.requests)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["evicted"] == 0


def test_a_ratio_above_its_limit_stretches_the_interval_that_sweeps_go_by(cloud, tmp_path):
    table, log, port = cloud.make_table(("connectionId", "S")), tmp_path / "log", free_port()
    cloud.put(table, *(zombie(f"l{n}", messageCount={"N": "72000"}) for n in range(5)))
    with FaultyGateway() as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_SWEEP_INTERVAL_SECONDS="0.5",
            REAPER_HEARTBEAT_INTERVAL_SECONDS="1",
            REAPER_HEARTBEAT_MODE="always",
            REAPER_MAX_HEARTBEAT_RATIO="0.01",
        ) | {"REAPER_HTTP_BIND": f"127.0.0.1:{port}"}
        with daemon(environment, log) as process:
            eventually(lambda: interval_in_force(port) == 1.25)
            process.terminate()
            assert process.wait(10) == 0
    assert "heartbeat interval changed" in log.read_text()


def interval_in_force(port: int) -> float | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=5) as answer:
            last = json.load(answer)["last"]
    except OSError:
        return None
    return last and last["heartbeat_interval_seconds"]


def test_a_hangup_ends_nothing_and_lines_go_where_the_path_leads(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n}") for n in range(5)), zombie("z1"))
    log, audit = tmp_path / "log", tmp_path / "audit.jsonl"
    with FaultyGateway({"z1": faults.gone, "z2": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="2", REAPER_HEARTBEAT_MODE="off",
            REAPER_FRESH_SECONDS="0", REAPER_AUDIT_LOG=str(audit),
        )  # fmt: skip
        with daemon(environment, log) as process:
            eventually(lambda: "z1" not in cloud.ids(table), seconds=60)
            audit.rename(tmp_path / "audit.jsonl.1")
            process.send_signal(signal.SIGHUP)
            cloud.put(table, zombie("z2"))
            eventually(lambda: "z2" not in cloud.ids(table), seconds=60)
            assert process.poll() is None

    assert any("SIGHUP" in entry["event"] for entry in log_of(log))
    assert "z2" in audit.read_text()
    assert "z2" not in (tmp_path / "audit.jsonl.1").read_text()


def test_sigterm_ends_it_even_where_nobody_reads_its_log(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_SWEEP_INTERVAL_SECONDS="1")
    unread, written = os.pipe()
    fcntl.fcntl(written, fcntl.F_SETPIPE_SZ, 4096)
    os.write(written, b"x" * 3000)
    with os.fdopen(unread, "rb"), os.fdopen(written, "wb") as pipe, open(os.devnull, "wb") as null:
        process = Process(["run"], environment, null, pipe)
        try:
            eventually(lambda: _bytes_in(unread) >= 4096 - 1000, seconds=40)
            time.sleep(2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()


def _bytes_in(pipe: int) -> int:
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]
