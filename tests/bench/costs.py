"""What a day costs, by ``core/plan/plan.py``: the reaper, and a POST to every row each minute."""

from __future__ import annotations

from reaper.core.plan.plan import naive_plan, plan
from reaper.core.plan.population import Population, Timetable
from reaper.core.triage import HeartbeatMode, TriageRules
from tests.bench.lab import Lab

MIX = {
    "mean_life_seconds": 2400.0,
    "messages_per_minute": 1.0,
    "zombie_rate": 0.05,
    "row_bytes": 200,
    "notes_last_seen": False,
}
"""Clients that stay 40 minutes and exchange a message a minute; one in twenty is lost silently."""

DEFAULTS = Timetable(
    triage=TriageRules(60, 7500, 180, HeartbeatMode.IDLE, 480),
    interval_seconds=300,
    confirm_delay_seconds=60,
    quota_rps=10_000,
    quota_share=1,
)


def costs(_: Lab) -> dict[str, float]:
    """A day of clients that stay 40 min and talk once a minute; 5 % are lost without a word."""
    found: dict[str, float] = {}
    for connections in (10_000, 1_000_000):
        population = Population(connections, **MIX)
        sides = {
            "reaper": plan(population, DEFAULTS),
            "naive": naive_plan(population, DEFAULTS.quota_rps),
        }
        for name, side in sides.items():
            found[f"{name}_api_calls_a_day_{connections}"] = side.api_calls_per_day
            found[f"{name}_read_units_a_day_{connections}"] = side.read_units_per_month / 30
            found[f"{name}_dollars_a_day_{connections}"] = side.dollars / 30
    return found
