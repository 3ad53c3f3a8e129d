"""Faults of the outside world against the real process: each has its outcome and its words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import faulty_gateway as faults
from tests.support.certificates import self_signed
from tests.support.faulty_gateway import FaultyGateway
from tests.support.moments import most_within
from tests.support.rows import LIVING, living, zombie


@pytest.mark.parametrize(
    ("behaviour", "hold_reason", "told"),
    [
        (faults.gone, "unproven-endpoint", "nobody answered 200"),
        (faults.wrong_stage, "denied", "403 ForbiddenException"),
        (faults.denied, "denied", "403 AccessDeniedException"),
        (faults.broken, "too-many-unknown", "500"),
        (faults.hangs, "too-many-unknown", "no answer within 4 s"),
        (faults.resets, "too-many-unknown", "connection broke"),
        (faults.truncates, "too-many-unknown", "connection broke"),
        (faults.throttled, "too-many-unknown", "429 LimitExceededException"),
        (faults.malformed_id, "too-many-unknown", "400 BadRequestException"),
    ],
)
def test_a_gateway_that_answers_all_alike_evicts_nothing(cloud, behaviour, hold_reason, told):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:02}") for n in range(60)))
    with FaultyGateway(default=behaviour) as server:
        environment = cloud.environment(table, server.url, REAPER_HEARTBEAT_MODE="off")
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"], done.report["evicted"]) == (3, hold_reason, 0)
    assert len(cloud.rows(table)) == 60
    assert told in done.stderr


def test_a_few_faults_hold_up_nothing(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:02}") for n in range(30)), zombie("z1"), zombie("z2"))
    odd = {"c01": faults.hangs, "c02": faults.resets, "c03": faults.broken}
    odd |= {"z1": faults.gone, "z2": faults.gone}
    with FaultyGateway(odd) as server:
        done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, server.url))

    assert (done.code, done.report["unknown"], done.report["evicted"]) == (0, 3, 2)
    assert cloud.ids(table) == {f"c{n:02}" for n in range(30)}


def test_one_that_flaps_between_gone_and_alive_stays(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("flapping"), *living())
    with FaultyGateway({"flapping": [faults.gone, faults.alive]}) as server:
        done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, server.url))

    assert (done.report["gone"], done.report["confirmed"], done.report["alive"]) == (1, 0, 4)
    assert cloud.ids(table) == {"flapping", *LIVING}


def test_a_host_that_does_not_resolve_is_named(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    environment = cloud.environment(table, "https://nowhere.invalid/prod")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "too-many-unknown")
    assert "cannot resolve nowhere.invalid" in done.stderr


def test_the_budget_is_kept_on_the_wire(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(120)))
    with FaultyGateway() as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_QUOTA_RPS="40",
            REAPER_QUOTA_SHARE="1",
            REAPER_HEARTBEAT_MODE="off",
        )
        done = cloud.reaper("sweep", "--json", environment=environment)
        moments = [moment for moment, _, _ in server.requests]

    assert done.report["due"] == 120
    for start in moments:
        assert sum(start <= moment < start + 1 for moment in moments) <= 44


def test_a_grant_that_is_revoked_half_way_holds_what_was_found_before(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:02}") for n in range(60)), zombie("z1"), zombie("z2"))

    def revoked_after_a_while(handler):
        (faults.denied if len(server.requests) > 20 else faults.alive)(handler)

    gone = {"z1": faults.gone, "z2": faults.gone}
    with FaultyGateway(gone, default=revoked_after_a_while) as server:
        environment = cloud.environment(table, server.url, REAPER_HEARTBEAT_MODE="off")
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "denied")
    assert (done.report["confirmed"], done.report["held"], done.report["evicted"]) == (2, 2, 0)
    assert len(cloud.rows(table)) == 62
    (hold,) = [entry for entry in done.log if entry["event"] == "evictions are held"]
    assert "execute-api:ManageConnections" in hold["why"]
    assert (hold["unknown"], hold["gone"]) == (done.report["unknown"], 2)


def test_a_certificate_for_another_name_holds_everything_and_says_why(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n}") for n in range(5)))
    certificate, context = self_signed(tmp_path, "somebody-else.example")
    with FaultyGateway(default=faults.gone, ssl_context=context) as server:
        environment = cloud.environment(table, server.url, AWS_CA_BUNDLE=str(certificate))
        done = cloud.reaper("sweep", "--json", environment=environment)
        checked = cloud.reaper("check", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "too-many-unknown")
    assert len(cloud.rows(table)) == 5
    for said in (done.stderr, checked.stdout):
        assert "TLS fails: certificate verify failed: Hostname mismatch" in said
        assert f"{certificate}, from AWS_CA_BUNDLE" in said
    assert "correct REAPER_API_ENDPOINT" not in checked.stdout


def test_a_custom_domain_is_swept_over_tls(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    certificate, context = self_signed(tmp_path, "localhost")
    with FaultyGateway({"z": faults.gone}, ssl_context=context) as server:
        environment = cloud.environment(
            table, f"wss://localhost:{server.port}", AWS_CA_BUNDLE=str(certificate)
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"], cloud.ids(table)) == (0, 1, {*LIVING})


def test_a_table_that_is_deleted_during_the_scan_ends_the_sweep_with_its_name(cloud):
    table = cloud.make_table(("connectionId", "S"))
    big = {"note": {"S": "x" * 9000}}
    cloud.put(table, *(zombie(f"c{n:03}", **big) for n in range(400)))

    def deletes_the_table(handler):
        if len(server.requests) == 1:
            cloud.dynamodb.delete_table(TableName=table)
        faults.gone(handler)

    with FaultyGateway(default=deletes_the_table) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_SCAN_SEGMENTS="1",
            REAPER_SCAN_MAX_RCU="50",
            REAPER_HEARTBEAT_MODE="off",
        )
        done = cloud.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert done.code == 1
    assert f"there is no table {table}" in done.stderr
    assert '"audit"' not in done.stdout


def test_a_pipe_that_nobody_reads_takes_no_audit_line_and_so_no_row(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        reading_end, writing_end = os.pipe()
        os.close(reading_end)
        done = subprocess.run(
            [sys.executable, "-m", "reaper", "sweep"],
            env=cloud.environment(table, server.url, REAPER_METRICS="none"),
            stdout=writing_end,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        os.close(writing_end)

    assert done.returncode == 1
    assert "evictions failed" in done.stderr
    assert "Broken pipe" in done.stderr
    assert "Traceback" not in done.stderr
    assert cloud.ids(table) == {"z", *LIVING}


def test_requests_that_stale_connections_lose_are_within_the_budget_too(cloud):
    """The gateway closes each connection after its answer and does not say so."""
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(300)))
    with FaultyGateway(default=faults.answers_then_closes) as server:
        environment = cloud.environment(
            table, server.url, REAPER_QUOTA_RPS="100", REAPER_QUOTA_SHARE="1"
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.report["alive"] == 300
    assert done.report["api_calls"] >= len(server.requests)
    assert most_within(1, [moment for moment, _, _ in server.requests]) <= 102
