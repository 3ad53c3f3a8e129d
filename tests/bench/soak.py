"""An hour of one-second sweeps: memory, descriptors and threads are flat, or something leaks."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.lab import Lab

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
WARM_UP_SECONDS = 60.0
SAMPLE_SECONDS = 5.0
ROWS = 500


class Sample(NamedTuple):
    rss_mb: float
    descriptors: int
    threads: int


def soak(lab: Lab) -> dict[str, float]:
    """So many MB, descriptors and threads in the first and the last tenth of an hour of sweeps."""
    settings = {
        "REAPER_SWEEP_INTERVAL_SECONDS": "1",
        "REAPER_FRESH_SECONDS": "0",
        "REAPER_HEARTBEAT_INTERVAL_SECONDS": "1",
        "REAPER_HTTP_BIND": "",
    }
    samples = []
    with (
        lab.gateway() as gateway,
        lab.table(ROWS, gone_percent=5) as table,
        lab.worker("soak.log", gateway, table, **settings) as process,
    ):
        started = time.monotonic()
        while (passed := time.monotonic() - started) < SECONDS:
            time.sleep(SAMPLE_SECONDS)
            assert process.poll() is None, "it has ended"
            if passed > WARM_UP_SECONDS:
                samples.append(_sample(process.pid))
    finished = [entry for entry in lab.log("soak.log") if entry["event"] == "sweep finished"]
    found: dict[str, float] = {"sweeps": len(finished), "evicted": _sum(finished, "evicted")}
    tenth = max(1, len(samples) // 10)
    for name in Sample._fields:
        first, last = (
            statistics.median(getattr(one, name) for one in some)
            for some in (samples[:tenth], samples[-tenth:])
        )
        found |= {f"{name}_first": first, f"{name}_last": last}
    return found


def _sum(entries: list[dict[str, float]], field: str) -> float:
    return sum(entry[field] for entry in entries)


def _sample(pid: int) -> Sample:
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
    )
