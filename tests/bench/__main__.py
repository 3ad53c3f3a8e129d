"""``make bench``: how fast, how small and how steady, beside what people would otherwise write.

Both sides run in turn, several rounds, on one core; the servers have the other. The numbers of a
noisy machine swing by half, the ratios hardly. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reaper.core.evidence.suspect_store import MAX_SUSPECTS
from tests.bench import costs, crew, soak
from tests.bench.lab import Lab
from tests.support.moments import most_within

ROUNDS = 3
console = Console()


def probes(lab: Lab) -> dict[str, float]:
    """Checks a second: aws/gateway.py, a boto3 pool, AWS's SDKs for JavaScript and for Go."""
    with lab.gateway() as gateway:
        sides: dict[str, Callable[[], dict[str, float]]] = {
            "probe": lambda: lab.ours("probes", gateway, "", 60_000),
            "boto3_probe": lambda: lab.rival("probes", gateway, "", 3_000),
        }
        if node := lab.node_probes(gateway):
            sides["node_probe"] = lambda: node(6_000)
        if go := lab.go_probes(gateway):
            sides["go_probe"] = lambda: go(40_000)
        rounds = [{name: measure() for name, measure in sides.items()} for _ in range(ROUNDS)]
    found: dict[str, float] = {}
    for name in sides:
        found[f"{name}_rps"] = _median([one[name]["per_second"] for one in rounds])
        found[f"{name}_cpu_us"] = _median([one[name]["cpu_us"] for one in rounds])
    ratios = [one["probe"]["per_second"] / one["boto3_probe"]["per_second"] for one in rounds]
    return found | {"probe_ratio": _median(ratios)}


def sweeps(lab: Lab) -> dict[str, float]:
    """Rows a second from the scan to the last eviction, 5 % of them zombies."""
    with lab.gateway() as gateway:
        rounds = []
        for _ in range(ROUNDS):
            before = _cleanup(lab, gateway)
            with lab.table(400_000, gone_percent=5) as table:
                ours = lab.sweep(gateway, table)
                assert ours.report["evicted"] == 20_000, ours.report
            rounds.append((ours, statistics.harmonic_mean([before, _cleanup(lab, gateway)])))
    return {
        "sweep_rows_per_second": _median([ours.rows_per_second for ours, _ in rounds]),
        "sweep_cpu_us_per_row": _median([ours.cpu_us_per_row for ours, _ in rounds]),
        "cleanup_rows_per_second": _median([rival for _, rival in rounds]),
        "sweep_ratio": _median([ours.rows_per_second / rival for ours, rival in rounds]),
    }


def _cleanup(lab: Lab, gateway: str) -> float:
    """Rows a second of the usual job: before and after a sweep, since both take half a minute and
    a shared machine's speed drifts.
    """
    with lab.table(10_000, gone_percent=5) as table:
        return lab.rival("cleanup", gateway, table, 10_000)["per_second"]


def scans(lab: Lab) -> dict[str, float]:
    """Rows a second when nothing is due, beside pynamodb's Model.scan."""
    rounds = []
    for _ in range(ROUNDS):
        with lab.table(1_000_000, is_fresh=True) as table:
            ours = lab.sweep("https://localhost:1/prod", table)
            assert ours.report["fresh"] == 1_000_000, ours.report
        with lab.table(200_000, is_fresh=True) as table:
            rounds.append((ours, lab.rival("scan", "", table, 200_000)))
    return {
        "scan_rows_per_second": _median([ours.rows_per_second for ours, _ in rounds]),
        "pynamodb_scan_rows_per_second": _median([rival["per_second"] for _, rival in rounds]),
        "scan_ratio": _median([o.rows_per_second / r["per_second"] for o, r in rounds]),
    }


def evictions(lab: Lab) -> dict[str, float]:
    """Conditional deletes a second, each with its audit line."""
    with lab.table(10_000) as table:
        url = "https://localhost:1/prod"
        rounds = [
            (
                lab.ours("evictions", url, table, 10_000),
                lab.rival("evictions", url, table, 2_000),
            )
            for _ in range(ROUNDS)
        ]
    return {
        "evictions_per_second": _median([ours["per_second"] for ours, _ in rounds]),
        "boto3_evictions_per_second": _median([rival["per_second"] for _, rival in rounds]),
        "eviction_ratio": _median([o["per_second"] / r["per_second"] for o, r in rounds]),
    }


def memory(lab: Lab) -> dict[str, float]:
    """Peak resident memory in MB, and how much more ten times the rows take."""
    found: dict[str, float] = {}
    with lab.gateway() as gateway:
        for gone_percent in (5, 50):
            peaks = []
            for rows in (100_000, 1_000_000):
                with lab.table(rows, gone_percent=gone_percent) as table:
                    swept = lab.sweep(gateway, table, REAPER_MAX_GONE_FRACTION="1")
                    zombies = rows * gone_percent // 100
                    evicted, pending = swept.report["evicted"], swept.report["pending"]
                    assert evicted + pending == zombies, swept.report
                    assert not pending or zombies > MAX_SUSPECTS, swept.report
                found[f"peak_mb_{rows}_rows_{gone_percent}_percent"] = swept.peak_mb
                peaks.append(swept.peak_mb)
            found[f"peak_ratio_{gone_percent}_percent"] = peaks[1] / peaks[0]
    return found


def pacing(lab: Lab) -> dict[str, float]:
    """The fullest second and the mean, as parts of the budget; and what a high rate takes of a core
    where each answer takes 50 ms, over plain HTTP.
    """
    found: dict[str, float] = {}
    for budget, seconds in ((50, 20), (1_000, 15), (8_000, 15)):
        with (
            lab.gateway(counts_arrivals=True) as gateway,
            lab.table(budget * seconds) as table,
        ):
            lab.sweep(gateway, table, REAPER_QUOTA_RPS=str(budget))
        found |= _steadiness(f"{budget}_rps", lab.arrivals(), budget)
    with lab.slow_gateway() as gateway, lab.table(10_000 * 20) as table:
        slow = lab.sweep(gateway, table, REAPER_QUOTA_RPS="10000")
    found["cores_10000_rps_at_50_ms"] = slow.cpu_us_per_row * 10_000 / 1e6
    return found | _steadiness("10000_rps_at_50_ms", lab.arrivals(), 10_000)


def _steadiness(name: str, arrivals: list[float], budget: int) -> dict[str, float]:
    """Without the first second, whose requests come late because connections are being opened."""
    arrivals = [moment for moment in arrivals if moment > arrivals[0] + 1]
    mean = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])
    fullest = most_within(1, arrivals)
    return {f"fullest_second_{name}": fullest / budget, f"mean_{name}": mean / budget}


def _show(found: dict[str, float]) -> None:
    table = Table("measured", "value", "goal")
    for name, value in found.items():
        shown = f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
        table.add_row(name, shown, GOALS.get(name))
    console.print(table)


def _median(values: list[float]) -> float:
    return statistics.median(values)


PARTS: dict[str, Callable[[Lab], dict[str, float]]] = {
    part.__name__: part
    for part in (
        *(probes, sweeps, scans, evictions, memory, pacing),
        *(crew.workers, crew.crew, costs.costs),
        soak.soak,
    )
}

UNASKED = [name for name in PARTS if name != "soak"]
"""What runs when no part is named: the hour of the soak is asked for."""

GOALS = {
    "probe_ratio": "at least 40",
    "probe_cpu_us": "at most 30",
    "sweep_ratio": "at least 24",
    "sweep_cpu_us_per_row": "at most 55",
    "scan_ratio": "at least 8",
    "eviction_ratio": "at least 15",
    "peak_mb_1000000_rows_5_percent": "at most 150",
    "peak_mb_1000000_rows_50_percent": "at most 150",
    "peak_ratio_5_percent": "at most 1.15",
    "peak_ratio_50_percent": "at most 1.15",
    "cores_10000_rps_at_50_ms": "at most 0.5",
    "coordination_percent_4_workers": "below 2",
    "live_rows_evicted": "0",
    "zombies_left": "0",
    "live_rows_not_asked_in_each_of_two_sweeps": "0",
    "fullest_second_of_budget": "at most 1.02",
} | {
    f"{what}_{rate}": goal
    for rate in ("50_rps", "1000_rps", "8000_rps", "10000_rps_at_50_ms")
    for what, goal in (("fullest_second", "at most 1.02"), ("mean", "at least 0.97"))
}


def main(names: list[str]) -> None:
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"there are {', '.join(PARTS)}; not {', '.join(sorted(unknown))}")
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="reaper-bench-") as directory:
        for name in names or UNASKED:
            part = PARTS[name]
            console.print(f"[bold]{name}[/]: {(part.__doc__ or '').strip()}")
            found_here = part(Lab(Path(directory) / name))
            _show(found_here)
            found |= found_here
    rounded = {name: round(value, 3) for name, value in found.items()}
    print(json.dumps({"cores": os.cpu_count(), **rounded}))


if __name__ == "__main__":
    main(sys.argv[1:])
