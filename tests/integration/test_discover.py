"""Discovery: what a table is like is found, and a sweep with those settings is exact."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import Cloud
from tests.support.faulty_gateway import FaultyGateway
from tests.support.moto import Moto
from tests.support.tables import TableShape, clients, item, shapes

LIVING, DEAD = 14, 6


def settings_in(text: str, cloud) -> dict[str, str]:
    """What a shell makes of the lines."""
    script = f"set -a\n{text}\nenv -0"
    done = subprocess.run(["env", "-i", "sh", "-c", script], capture_output=True, check=True)
    pairs = (one.partition("=") for one in done.stdout.decode().split("\0") if one)
    return {name: value for name, _, value in pairs if name.startswith("REAPER_")}


def told(client):
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(client.connected_at))
    return faults.answers(200, {"connectedAt": moment, "lastActiveAt": moment})


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_a_sweep_with_what_is_found_is_exact(cloud, shape: TableShape):
    is_swept_exactly(cloud, shape)


def is_swept_exactly(cloud: Cloud, shape: TableShape) -> None:
    """By the settings that ``discover`` finds, with which ``check`` is content."""
    table = cloud.make_table(*((name, "S") for name in shape.keys))
    everybody = clients(LIVING + DEAD, time.time(), seed=7)
    living, dead = everybody[:LIVING], everybody[LIVING:]
    others = [item(row) for row in shape.others()]
    cloud.put(table, *others, *map(item, shape.stored(everybody)))
    answers = {c.id: told(c) for c in living}
    with FaultyGateway(answers, default=faults.gone) as server:
        environment = cloud.environment(table, server.url)
        found = cloud.reaper("discover", table, "--endpoint", server.url, environment=environment)
        assert found.code == 0, found.stdout + found.stderr
        settings = settings_in(found.stdout, cloud)
        assert settings.items() >= {f"REAPER_{n}": v for n, v in shape.settings.items()}.items()
        environment = cloud.environment(table, server.url, **settings)
        checked = cloud.reaper("check", environment=environment)
        done = cloud.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert checked.stdout.splitlines()[-1] == "ready: reaper sweep --dry-run", checked.stdout
    assert done.code == 0, found.stdout + done.stderr
    left = others + [item(row) for row in shape.stored(living)]
    left += [item(row) for c in dead for row in shape.left(c)]
    assert by_text(cloud.rows(table)) == by_text(left), found.stdout


@pytest.mark.timeout(900)
def test_on_another_table_api_it_is_the_same(tmp_path):
    """All of them at once: a server takes a second of a processor to start."""

    def fault_of(shape: TableShape) -> str:
        try:
            is_swept_exactly(cloud, shape)
        except AssertionError as fault:
            return f"{shape.name}: {fault}"
        return ""

    with Moto(tmp_path) as moto, ThreadPoolExecutor(16) as pool:
        cloud = Cloud(moto, moto.session())
        assert not [fault for fault in pool.map(fault_of, shapes()) if fault]


def by_text(rows) -> list[str]:
    """Sets are in no order."""
    for row in rows:
        for value in row.values():
            if "SS" in value:
                value["SS"] = sorted(value["SS"])
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_check_says_the_same_where_settings_do_not_fit(cloud, shape: TableShape):
    table = cloud.make_table(*((name, "S") for name in shape.keys))
    everybody = clients(8, time.time(), seed=8)
    rows = [*shape.stored(everybody), *shape.others()]
    cloud.put(table, *map(item, rows))
    endpoint = "https://abc123.execute-api.us-east-1.amazonaws.com/prod"
    environment = cloud.environment(table, endpoint, REAPER_PROBE_TIMEOUT_SECONDS="0.2")
    done = cloud.reaper("check", environment=environment)
    for name in ("CONNECTION_ID_ATTRIBUTE", "ROW_FILTER", "EVICT_SCOPE"):
        value = shape.settings.get(name, "connectionId")
        if value != "connectionId":
            assert f"REAPER_{name}={shlex.quote(value)}" in done.stdout
