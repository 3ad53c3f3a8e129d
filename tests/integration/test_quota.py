"""The account's own quota; where it is not told the Region's default counts."""

from __future__ import annotations

import json

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import log_of, sweeps
from tests.support.waiting import eventually

ELSEWHERE = "AWS_ENDPOINT_URL_API_GATEWAY"


@pytest.mark.parametrize(
    ("answer", "quota"),
    [
        (faults.answers(200, {"throttleSettings": {"rateLimit": 300.0, "burstLimit": 50}}), 300),
        (faults.answers(403, {"message": "no"}, "AccessDeniedException"), 10_000),
        (faults.answers(200, {"throttleSettings": {"rateLimit": -1}}), 10_000),
        (faults.answers(200, b"<html>"), 10_000),
        (faults.answers(200, {}), 10_000),
    ],
)
def test_the_accounts_own_quota_counts(cloud, lone_api, tmp_path, answer, quota):
    table, log = cloud.make_table(("connectionId", "S")), tmp_path / "log"
    with FaultyGateway(default=answer) as server:
        elsewhere = {ELSEWHERE: f"http://127.0.0.1:{server.port}"}
        environment = cloud.environment(table, lone_api) | elsewhere
        environment.pop("REAPER_QUOTA_RPS", None)
        with daemon(environment, log):
            eventually(lambda: sweeps(log))
    (start, *_) = [line for line in log_of(log) if line["event"] == "reaper starts"]
    assert start["budget_rps"] == pytest.approx(quota * 0.1)


def test_a_plan_may_ask_for_it(cloud):
    rate = faults.answers(200, {"throttleSettings": {"rateLimit": 100.0, "burstLimit": 50}})
    with FaultyGateway(default=rate) as server:
        elsewhere = {ELSEWHERE: f"http://127.0.0.1:{server.port}"}
        environment = cloud.environment("t", "https://a.invalid/p") | elsewhere
        arguments = ("plan", "--connections", "1000", "--json", "--ask-account")
        done = cloud.reaper(*arguments, environment=environment)
    plan = json.loads(done.stdout)["reaper"]
    assert plan["quota_share"] == pytest.approx(plan["rps"] / 100)
