"""What a person at a terminal reads, and streams that somebody has closed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import log_of, sweeps
from tests.support.rows import living, zombie
from tests.support.waiting import eventually


def shell(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command line in which `reaper` stands for the program."""
    text = command.replace("reaper ", f"{sys.executable} -m reaper ")
    env = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(
        ["bash", "-c", text], env=env, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_sweep_is_one_line_on_a_terminal_and_fields_in_json(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("gone"), *living())
    with FaultyGateway({"gone": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_LOG_FORMAT="console", REAPER_DRY_RUN="true"
        )
        console = cloud.reaper("sweep", "--json", environment=environment).stderr
        environment |= {"REAPER_LOG_FORMAT": "json"}
        done = cloud.reaper("sweep", "--json", environment=environment)

    (line,) = [line for line in console.splitlines() if "swept" in line]
    (logged,) = [entry for entry in done.log if entry["event"] == "sweep finished"]
    assert "1 would be evicted (1 gone), 0 inconclusive" in line
    assert "heartbeat_message_ratio" not in line
    assert logged["summary"].startswith(f"swept {1 + len(living())} rows in ")
    assert logged["evicted"] == 1


def test_a_dry_run_has_a_line_for_many_and_not_for_each(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"z{n:03}") for n in range(300)), *living())
    gone = {f"z{n:03}": faults.gone for n in range(300)}
    with FaultyGateway(gone) as server:
        environment = cloud.environment(table, server.url, REAPER_MIN_GONE_ROWS="1000")
        done = cloud.reaper("sweep", "--json", "--dry-run", environment=environment)

    would = [entry for entry in done.log if entry["event"] == "would evict"]
    assert sum(entry["rows"] for entry in would) == done.report["evicted"] == 300
    assert len(would) < 30
    assert {entry["reason"] for entry in would} == {"gone"}
    assert set(would[0]["such_as"]) <= gone.keys()


def test_rows_that_somebody_else_removes_meanwhile_are_told(cloud):
    """As another reaper does, or a clean-up job."""
    table = cloud.make_table(("connectionId", "S"))
    names = [f"z{n}" for n in range(8)]
    cloud.put(table, *map(zombie, names), *living())
    asked = dict.fromkeys(names, 0)

    def gone_for_good(handler) -> None:
        name = next(one for one in names if handler.path.endswith(f"/{one}"))
        asked[name] += 1
        if asked[name] == 3:
            cloud.dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": name}})
        faults.gone(handler)

    with FaultyGateway(dict.fromkeys(names, gone_for_good)) as server:
        environment = cloud.environment(table, server.url)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.report["changed"], done.report["evicted"]) == (8, 0)
    (told,) = [entry for entry in done.log if entry["event"] == "rows already gone"]
    assert told["why"].startswith("8 rows were already gone")
    assert "another reaper" in told["cure"]


def test_the_configuration_in_force_is_shown(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_SWEEP_INTERVAL_SECONDS="100")
    shown = cloud.reaper("env", "--effective", environment=environment).stdout.splitlines()
    assert f"REAPER_TABLE_NAME={table}" in shown
    assert "REAPER_SWEEP_INTERVAL_SECONDS=100" in shown
    assert "REAPER_FRESH_SECONDS=380  # by default" in shown
    assert "REAPER_CONFIRM_DELAY_SECONDS" in "".join(shown)
    assert shown[0].startswith("# Region us-east-1, budget ")
    with daemon(environment, tmp_path / "log"):
        eventually(lambda: sweeps(tmp_path / "log"))
    (start, *_) = [line for line in log_of(tmp_path / "log") if line["event"] == "reaper starts"]
    assert start["settings"]["REAPER_SWEEP_INTERVAL_SECONDS"] == "100"
    assert "REAPER_FRESH_SECONDS" not in start["settings"]


def test_health_needs_no_table(cloud, lone_api, tmp_path):
    done = cloud.reaper("health", environment={"REAPER_HTTP_BIND": "127.0.0.1:9"})
    assert (done.code, done.stdout) == (1, "")
    assert "no daemon answers at http://127.0.0.1:9/healthz" in done.stderr
    wrong = cloud.reaper("health", environment={"REAPER_HTTP_BIND": "nowhere"})
    assert wrong.code == 2
    assert "REAPER_HTTP_BIND must be host:port" in wrong.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_cost_a_sweep_nothing(cloud, tmp_path, closed):
    table, audit = cloud.make_table(("connectionId", "S")), tmp_path / "audit.jsonl"
    cloud.put(table, zombie("gone"), *living())
    with FaultyGateway({"gone": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=str(audit))
        done = shell(f"reaper sweep --json {closed}", environment)

    assert done.returncode == 0
    assert json.loads(audit.read_text())["audit"] == "evict"
    assert cloud.ids(table) == {row["connectionId"]["S"] for row in living()}


def test_without_stdout_for_its_audit_line_no_row_goes(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("gone"), *living())
    with FaultyGateway({"gone": faults.gone}) as server:
        done = shell("reaper sweep >&-", cloud.environment(table, server.url))

    assert done.returncode == 1
    assert "do not close stdout, or name a file in REAPER_AUDIT_LOG" in done.stderr
    assert "gone" in cloud.ids(table)


def test_the_daemon_runs_without_stdout(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *living())
    log = tmp_path / "log"
    environment = cloud.environment(table, lone_api, REAPER_SWEEP_INTERVAL_SECONDS="0.5")
    command = f"exec {sys.executable} -m reaper run >&- 2>{log}"
    process = subprocess.Popen(["bash", "-c", command], env={**os.environ, **environment})
    try:
        eventually(lambda: log.exists() and len(sweeps(log)) >= 2, seconds=60)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert [line for line in log_of(log) if line["event"] == "reaper has stopped"]


@pytest.mark.parametrize(
    "answer",
    [
        faults.answers(200, b"<html>"),
        faults.answers(200, b"\xff\xfe"),
        faults.answers(200, {"state": "fine"}),
        faults.answers(200, b"[]"),
        faults.answers(404, b"nothing"),
        faults.truncates,
        faults.speaks_garbage,
    ],
)
def test_health_believes_nobody_else(cloud, answer):
    with FaultyGateway(default=answer) as server:
        bind = {"REAPER_HTTP_BIND": f"127.0.0.1:{server.port}"}
        done = cloud.reaper("health", environment=bind)
    assert (done.code, done.stdout) == (1, "")
    assert "no daemon answers at" in done.stderr


def test_an_audit_pipe_that_nobody_reads_takes_no_line(cloud, tmp_path):
    pipe, table = tmp_path / "pipe", cloud.make_table(("connectionId", "S"))
    os.mkfifo(pipe)
    cloud.put(table, zombie("gone"), *living())
    with FaultyGateway({"gone": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=str(pipe))
        done = cloud.reaper("sweep", environment=environment)
    assert done.code == 2
    assert "REAPER_AUDIT_LOG" in done.stderr
    assert "gone" in cloud.ids(table)
