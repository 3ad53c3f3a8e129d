"""`reaper plan`: what a population will need and cost, for a person or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from reaper.aws.session import region_of
from reaper.commands.exit_codes import DONE, FAILED
from reaper.config.environment import load_settings
from reaper.config.rules import configured_endpoint, quota_rps, triage_rules
from reaper.config.settings import Settings
from reaper.core.plan.plan import Plan, naive_plan, obstacles, plan, within_ratio
from reaper.core.plan.population import Population, Timetable
from reaper.core.platform import CONNECTION_MINUTE_DOLLARS
from reaper.core.triage import HeartbeatMode
from reaper.wiring import make_access, with_own_quota

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
    ("heartbeat interval", lambda plan: f"{plan.heartbeat_interval_seconds:,.0f} s"),
    ("heartbeats, a month", lambda plan: f"${plan.heartbeat_dollars:,.2f}"),
    ("table, a month", lambda plan: f"${plan.table_dollars:,.2f}"),
    ("all, a month", lambda plan: f"${plan.dollars:,.2f}"),
)


PLANNED = {
    "REAPER_TABLE_NAME": "planned",
    "REAPER_API_ENDPOINT": "https://planned.execute-api.us-east-1.amazonaws.com/prod",
}
"""What stands for the table and the API that a plan needs none of."""


def add_to(subparsers: Any) -> None:
    plan = subparsers.add_parser(
        "plan",
        help="what a population of connections will need and cost, before it is deployed",
        description="Works out rates, quota share, ratio, times and dollars of `reaper run` for a"
        " population, beside a POST to every row each minute. It needs no AWS account, and asks"
        " nobody but with --ask-account. Settings are those in the environment. Exit code 1 for"
        " what cannot work, with the reason.",
    )
    plan.add_argument(
        "--connections", type=_count, required=True, help="how many are open at any moment"
    )
    plan.add_argument(
        "--mean-life-seconds", type=_positive, default=1800.0, help="default 1800, at most 7200"
    )
    plan.add_argument(
        "--messages-per-minute",
        type=_not_negative,
        default=1.0,
        help="the application's own, per connection, both ways; default 1",
    )
    plan.add_argument(
        "--zombie-rate",
        type=_fraction,
        default=0.05,
        help="part of the connections whose $disconnect is never delivered; default 0.05",
    )
    plan.add_argument(
        "--last-seen",
        action="store_true",
        help="rows say when a client was last heard of (REAPER_LAST_SEEN_ATTRIBUTE)",
    )
    plan.add_argument(
        "--row-bytes", type=_count, default=200, help="size of a row, for the scan; default 200"
    )
    plan.add_argument(
        "--heartbeat-mode",
        choices=[mode.value for mode in HeartbeatMode],
        help="instead of REAPER_HEARTBEAT_MODE",
    )
    plan.add_argument(
        "--sweep-interval-seconds",
        type=_interval,
        help="instead of REAPER_SWEEP_INTERVAL_SECONDS",
    )
    plan.add_argument(
        "--ask-account",
        action="store_true",
        help="ask AWS for this account's own quota, with apigateway:GET on /account, where"
        " REAPER_QUOTA_RPS is not set",
    )
    plan.add_argument("--json", action="store_true", help="print one JSON object")
    plan.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Settings are the environment's, but for what flags say; there need be no table yet."""
    region = region_of(boto3.Session()) or ""
    settings = load_settings(region, PLANNED)
    if not region and "REAPER_API_ENDPOINT" in os.environ:
        endpoint = configured_endpoint(settings, None)
        region = endpoint.region if endpoint else ""
    if arguments.ask_account:
        settings = with_own_quota(settings, make_access(settings, boto3.Session()))
    if arguments.heartbeat_mode:
        settings = replace(settings, heartbeat_mode=HeartbeatMode(arguments.heartbeat_mode))
    if arguments.sweep_interval_seconds:
        settings = replace(settings, sweep_interval_seconds=arguments.sweep_interval_seconds)
    population = Population(
        arguments.connections,
        arguments.mean_life_seconds,
        arguments.messages_per_minute,
        arguments.zombie_rate,
        arguments.row_bytes,
        arguments.last_seen,
    )
    timetable, limit = timetable_of(settings, region), settings.max_heartbeat_ratio or inf
    longest = settings.max_heartbeat_interval_seconds
    timetable = within_ratio(population, timetable, limit, longest)
    reasons = show_plan(population, timetable, limit, as_json=arguments.json)
    for reason in reasons:
        print(f"reaper: this cannot work: {reason}", file=sys.stderr)
    return FAILED if reasons else DONE


def timetable_of(settings: Settings, region: str) -> Timetable:
    """What the settings mean for a plan."""
    return Timetable(
        triage=triage_rules(settings),
        interval_seconds=settings.sweep_interval_seconds,
        confirm_delay_seconds=settings.confirm_delay_seconds,
        quota_rps=quota_rps(settings, region),
        quota_share=settings.quota_share,
    )


def show_plan(
    population: Population, timetable: Timetable, ratio_limit: float = inf, *, as_json: bool
) -> list[str]:
    """Print the plan beside the naive one. Returns why it cannot work; empty where it can."""
    ours, naive = plan(population, timetable), naive_plan(population, timetable.quota_rps)
    reasons = list(obstacles(population, timetable, ratio_limit))
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
        f"The connections themselves cost ${minutes * CONNECTION_MINUTE_DOLLARS:,.2f} a month."
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


def _number(text: str, kind: type[float], least: float, most: float, is_open: bool) -> float:
    try:
        value = kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"must be {what} (it is {text!r})") from None
    if not least <= value <= most or (is_open and value == least):
        bounds = f"above {least:g}" if is_open else f"from {least:g}"
        raise argparse.ArgumentTypeError(f"must be {bounds} to {most:g} (it is {text!r})")
    return value


def _count(text: str) -> int:
    return int(_number(text, int, 1, 1e9, is_open=False))


def _interval(text: str) -> float:
    return _number(text, float, 0.1, 1e9, is_open=False)


def _positive(text: str) -> float:
    return _number(text, float, 0, 1e9, is_open=True)


def _not_negative(text: str) -> float:
    return _number(text, float, 0, 1e9, is_open=False)


def _fraction(text: str) -> float:
    return _number(text, float, 0, 1, is_open=False)
