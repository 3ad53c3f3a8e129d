"""Faults of the outside world against the real process: each has its outcome and its words."""

from __future__ import annotations

import pytest

from tests import faulty_gateway as faults
from tests.faulty_gateway import FaultyGateway
from tests.integration.test_sweep import zombie


@pytest.mark.parametrize(
    ("behaviour", "hold_reason", "told"),
    [
        (faults.gone, "unproven-endpoint", "not one answered 200"),
        (faults.wrong_stage, "denied", "403 ForbiddenException"),
        (faults.denied, "denied", "403 AccessDeniedException"),
        (faults.broken, "too-many-unknown", "500"),
        (faults.hangs, "too-many-unknown", "no answer within 1 s"),
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
    cloud.put(table, zombie("flapping"), zombie("live"))
    with FaultyGateway({"flapping": [faults.gone, faults.alive]}) as server:
        done = cloud.reaper("sweep", "--json", environment=cloud.environment(table, server.url))

    assert (done.report["gone"], done.report["confirmed"], done.report["alive"]) == (1, 0, 2)
    assert cloud.ids(table) == {"flapping", "live"}


def test_a_host_that_does_not_resolve_is_named(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    environment = cloud.environment(table, "https://nowhere.invalid/prod")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "too-many-unknown")
    assert "cannot connect" in done.stderr


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
