"""``reaper plan``: what a population will need and cost, for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from reaper.core.plan import Plan, naive_plan, obstacles, plan
from reaper.core.population import Population, Schedule
from reaper.core.prices import CONNECTION_MINUTE
from reaper.rulebook import triage_rules
from reaper.settings import Settings

_LINES: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("requests a second needed while sweeping", lambda plan: f"{plan.rps:,.1f}"),
    ("… of the Region's quota", lambda plan: f"{plan.quota_share:.2%}"),
    ("sweep length", lambda plan: f"{plan.sweep_seconds:,.0f} s"),
    ("checks (GET) per sweep", lambda plan: f"{plan.checks:,.0f}"),
    ("heartbeats (POST) per sweep", lambda plan: f"{plan.heartbeats:,.0f}"),
    ("zombies in the table", lambda plan: f"{plan.zombies:,.0f}"),
    ("time to evict, median", lambda plan: f"{plan.evict_seconds_median:,.0f} s"),
    ("time to evict, 99th percentile", lambda plan: f"{plan.evict_seconds_p99:,.0f} s"),
    (
        "heartbeats per message",
        lambda plan: (
            "no messages"
            if plan.heartbeat_message_ratio is None
            else f"{plan.heartbeat_message_ratio:,.3f}"
        ),
    ),
    ("requests a day", lambda plan: f"{plan.api_calls_per_day:,.0f}"),
    ("read units a month", lambda plan: f"{plan.read_units_per_month:,.0f}"),
    ("heartbeats, a month", lambda plan: f"${plan.heartbeat_dollars:,.2f}"),
    ("table, a month", lambda plan: f"${plan.table_dollars:,.2f}"),
    ("all, a month", lambda plan: f"${plan.dollars:,.2f}"),
)


def schedule_of(settings: Settings, region: str) -> Schedule:
    """What the settings mean for a plan."""
    return Schedule(
        triage=triage_rules(settings),
        interval_seconds=settings.sweep_interval_seconds,
        confirm_delay_seconds=settings.confirm_delay_seconds,
        quota_rps=settings.quota_rps_in(region),
        quota_share=settings.quota_share,
    )


def show_plan(population: Population, schedule: Schedule, *, as_json: bool) -> list[str]:
    """Print the plan beside the naive one. Returns why it cannot work; empty where it can."""
    ours, naive = plan(population, schedule), naive_plan(population, schedule.quota_rps)
    reasons = list(obstacles(population, schedule))
    if as_json:
        found = {
            "reaper": ours._asdict() | {"dollars": ours.dollars, "workers": ours.workers},
            "naive": naive._asdict() | {"dollars": naive.dollars},
            "obstacles": reasons,
        }
        print(json.dumps(found))
        return reasons
    table = Table(title=_title(population))
    table.add_column("")
    table.add_column("reaper", justify="right")
    table.add_column("POST to every row each minute", justify="right")
    for label, show in _LINES:
        table.add_row(label, show(ours), show(naive))
    console = Console()
    console.print(table)
    if ours.workers > 1:
        console.print(
            f"It takes {ours.workers} workers of one core each, who share sweeps through"
            " REAPER_QUEUE_URL.",
            soft_wrap=True,
            highlight=False,
        )
    minutes = population.connections * 30 * 24 * 60
    console.print(
        f"The connections themselves cost ${minutes * CONNECTION_MINUTE:,.2f} a month."
        " Prices are those of US Regions in 2026; checks are not billed as messages.",
        soft_wrap=True,
        highlight=False,
    )
    return reasons


def _title(population: Population) -> str:
    return (
        f"{population.connections:,} connections, mean life {population.mean_life_seconds:g} s,"
        f" messages a minute: {population.messages_per_minute:g},"
        f" zombie rate: {population.zombie_rate:.0%}"
    )
