"""kill -9 at any moment: nothing live is lost, and no row goes without its audit line."""

from __future__ import annotations

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import Cloud
from tests.support.faulty_gateway import FaultyGateway
from tests.support.preloaded import Process
from tests.support.rows import zombie
from tests.support.waiting import eventually

KILLS = 50
TABLES = 4
ZOMBIES = [f"z{n:03}" for n in range(160)]
LIVE = [f"live{n:03}" for n in range(200)]


@pytest.mark.timeout(400)
def test_at_fifty_random_moments_of_a_sweep_with_evictions(cloud, tmp_path):
    """Every other time at a random moment of the sweep, else of its evictions."""
    with ThreadPoolExecutor(TABLES) as pool:
        killed = [
            pool.submit(_kill_and_look, cloud, tmp_path / f"audit-{seed}.jsonl", seed)
            for seed in range(TABLES)
        ]
    evicted_by_killed = sum(one.result() for one in killed)
    assert evicted_by_killed >= 5, "too few were killed amid their evictions to prove anything"


def _kill_and_look(cloud: Cloud, audit: Path, seed: int) -> int:
    """How many of the killed had begun to evict, on a table of their own, and were not done."""
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(name) for name in LIVE))
    chance = random.Random(seed)
    evicted_by_killed = 0
    with FaultyGateway(dict.fromkeys(ZOMBIES, faults.gone)) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_AUDIT_LOG=str(audit),
            REAPER_QUOTA_SHARE="1",
            REAPER_HEARTBEAT_MODE="off",
            REAPER_CONFIRM_DELAY_SECONDS="0",
            REAPER_LOG_LEVEL="error",
        )
        for kill in range(KILLS // TABLES):
            this_time = {"kill": {"N": str(kill)}}
            cloud.put(table, *(zombie(name, **this_time) for name in ZOMBIES))
            server.requests.clear()
            with open(os.devnull, "wb") as nowhere:
                process = Process(["sweep"], environment, nowhere, nowhere)
            if kill % 2:
                eventually(lambda: server.requests, seconds=60)
                time.sleep(chance.uniform(0, 1.4))
            else:
                written = _size(audit)
                eventually(lambda before=written: _size(audit) > before, seconds=60, every=0.002)
                time.sleep(chance.uniform(0, 0.3))
            process.kill()
            process.wait()
            rows = cloud.ids(table)
            gone = set(ZOMBIES) - rows
            assert set(LIVE) <= rows
            assert gone <= _audited(audit, kill)
            evicted_by_killed += 0 < len(gone) < len(ZOMBIES)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, cloud.ids(table)) == (0, set(LIVE))
    return evicted_by_killed


def _size(audit: Path) -> int:
    return audit.stat().st_size if audit.exists() else 0


def _audited(audit: Path, kill: int) -> set[str]:
    """Whose line was there when this one was killed. A line may be torn by that."""
    entries = []
    for line in audit.read_text().splitlines() if audit.exists() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return {
        entry["connection_id"]
        for entry in entries
        if entry["audit"] == "evict" and entry["item"].get("kill") == {"N": str(kill)}
    }
