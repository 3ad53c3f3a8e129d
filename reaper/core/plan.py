"""What a population of connections will ask of the reaper, before it is deployed.

All is in means over a long time. Connections come at random, live for an exponential time and
talk at random moments; every row is looked at once per sweep, at a moment of its own in the spread
part of the interval. The tests hold the arithmetic against the simulated world.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp, floor, sqrt
from typing import NamedTuple

from reaper.core import prices
from reaper.core.pacing import SPREAD_FRACTION
from reaper.core.ratio import LONGEST_LIFE_SECONDS
from reaper.core.triage import HeartbeatMode, TriageRules

MONTH_SECONDS = 30 * 86_400.0
DAY_SECONDS = 86_400.0

NEW_CONNECTIONS_PER_SECOND = 500.0
"""API Gateway's limit per account and Region (WebSocket quotas, AWS docs)."""

NAIVE_INTERVAL_SECONDS = 60.0
"""The heartbeat that people write first: a POST to every row each minute."""

SCAN_BYTES_PER_UNIT = 8192
_STEPS = 64


class Population(NamedTuple):
    """The connections of an application, as they are on average."""

    connections: int
    """Open at any moment."""
    mean_life_seconds: float
    messages_per_minute: float
    """Of one connection, both ways."""
    zombie_rate: float
    """The part of the connections whose ``$disconnect`` is never delivered."""
    row_bytes: int
    notes_last_seen: bool
    """Whether rows say when a client was last heard of, answers to heartbeats included."""

    @property
    def opened_per_second(self) -> float:
        return self.connections / self.mean_life_seconds


@dataclass(frozen=True)
class Schedule:
    """What the operator set, as far as it counts here."""

    triage: TriageRules
    interval_seconds: float
    confirm_delay_seconds: float
    quota_rps: float
    quota_share: float

    @property
    def budget_rps(self) -> float:
        return self.quota_rps * self.quota_share

    @property
    def window_seconds(self) -> float:
        """The part of the interval over which calls are spread."""
        return self.interval_seconds * SPREAD_FRACTION


class Plan(NamedTuple):
    """Rates are means, counts are per sweep, money is in dollars a month of 30 days."""

    rps: float
    """Requests a second while a sweep lasts."""
    quota_share: float
    """What part of the Region's quota that is."""
    sweep_seconds: float
    checks: float
    heartbeats: float
    api_calls: float
    zombies: float
    """Rows in the table, at any moment, whose sockets are gone."""
    evict_seconds_median: float
    """From the moment at which the gateway knows that a socket is gone."""
    evict_seconds_p99: float
    heartbeat_message_ratio: float | None
    api_calls_per_day: float
    read_units_per_month: float
    heartbeat_dollars: float
    table_dollars: float

    @property
    def dollars(self) -> float:
        return self.heartbeat_dollars + self.table_dollars


def plan(population: Population, schedule: Schedule) -> Plan:
    """What the reaper needs and does."""
    interval = schedule.interval_seconds
    checks, heartbeats = _questions(population, schedule)
    lost = population.opened_per_second * population.zombie_rate * interval
    api_calls = checks + heartbeats + 2 * lost
    window = max(schedule.window_seconds, api_calls / schedule.budget_rps)
    delay = schedule.confirm_delay_seconds
    median = (interval + window) / 2 + delay
    zombies = lost / interval * median
    rps = api_calls / schedule.window_seconds
    return Plan(
        rps=rps,
        quota_share=rps / schedule.quota_rps,
        sweep_seconds=window + delay,
        checks=checks + lost,
        heartbeats=heartbeats,
        api_calls=api_calls,
        zombies=zombies,
        evict_seconds_median=median,
        evict_seconds_p99=interval + window - sqrt(0.02 * interval * window) + delay,
        heartbeat_message_ratio=_ratio(heartbeats, population, interval),
        api_calls_per_day=api_calls * DAY_SECONDS / interval,
        read_units_per_month=_read_units(population, zombies, interval),
        heartbeat_dollars=heartbeats * MONTH_SECONDS / interval * prices.MESSAGE,
        table_dollars=_table_dollars(population, zombies, interval),
    )


def naive_plan(population: Population, quota_rps: float) -> Plan:
    """The same for a POST to every row each minute, whose first 410 deletes the row."""
    interval = NAIVE_INTERVAL_SECONDS
    lost = population.opened_per_second * population.zombie_rate * interval
    zombies = lost / 2
    rows = population.connections + zombies
    return Plan(
        rps=rows / interval,
        quota_share=rows / interval / quota_rps,
        sweep_seconds=interval,
        checks=0.0,
        heartbeats=population.connections,
        api_calls=rows,
        zombies=zombies,
        evict_seconds_median=interval / 2,
        evict_seconds_p99=interval * 0.99,
        heartbeat_message_ratio=_ratio(population.connections, population, interval),
        api_calls_per_day=rows * DAY_SECONDS / interval,
        read_units_per_month=_read_units(population, zombies, interval),
        heartbeat_dollars=population.connections * MONTH_SECONDS / interval * prices.MESSAGE,
        table_dollars=_table_dollars(population, zombies, interval),
    )


def obstacles(population: Population, schedule: Schedule) -> Iterator[str]:
    """Why this cannot work, each with the cure; nothing where it can."""
    if population.mean_life_seconds > LONGEST_LIFE_SECONDS:
        yield "no connection lives longer than 2 hours: --mean-life-seconds is at most 7200"
        return
    if population.opened_per_second > NEW_CONNECTIONS_PER_SECOND:
        yield (
            f"API Gateway accepts {NEW_CONNECTIONS_PER_SECOND:g} new connections a second, and"
            f" {population.opened_per_second:,.0f} would be opened: ask AWS for a higher quota"
        )
    heartbeat = schedule.triage.heartbeat_interval_seconds
    sends_heartbeats = schedule.triage.heartbeat_mode is not HeartbeatMode.OFF
    longest_wait = schedule.interval_seconds + schedule.window_seconds
    if sends_heartbeats and longest_wait > heartbeat:
        yield (
            f"up to {longest_wait:g} s pass between two looks at a row, so sockets stay silent for"
            f" longer than REAPER_HEARTBEAT_INTERVAL_SECONDS={heartbeat:g} and may run into the"
            " idle timeout: set REAPER_SWEEP_INTERVAL_SECONDS to at most"
            f" {heartbeat / (1 + SPREAD_FRACTION):g}"
        )
    needed = plan(population, schedule).rps
    if not sends_heartbeats:
        needed *= SPREAD_FRACTION  # nobody falls silent if a sweep takes the whole interval
    if needed > schedule.quota_rps:
        yield (
            f"{needed:,.0f} requests a second are needed and the Region's quota is"
            f" {schedule.quota_rps:,.0f}: ask AWS for a higher one, or sweep less often"
        )
    elif needed > schedule.budget_rps:
        yield (
            f"{needed:,.0f} requests a second are needed and the budget is"
            f" {schedule.budget_rps:,.0f}: set REAPER_QUOTA_SHARE to at least"
            f" {ceil(100 * needed / schedule.quota_rps) / 100:g}, or sweep less often"
        )


def _questions(population: Population, schedule: Schedule) -> tuple[float, float]:
    """Checks of, and heartbeats to, live connections in a sweep."""
    checks = heartbeats = 0.0
    for step in range(_STEPS):
        asked_at = (step + 0.5) / _STEPS * schedule.window_seconds
        may_be_silent = _may_be_silent_seconds(schedule, asked_at)
        some_checks, some_heartbeats = _questions_at(population, schedule, may_be_silent)
        checks += some_checks / _STEPS
        heartbeats += some_heartbeats / _STEPS
    return checks * population.connections, heartbeats * population.connections


def _may_be_silent_seconds(schedule: Schedule, asked_at: float) -> float:
    """How long a socket may have been silent that waits for its next turn without a heartbeat."""
    if schedule.triage.heartbeat_mode is HeartbeatMode.OFF:
        return float("inf")
    next_turn_in = schedule.interval_seconds + schedule.window_seconds - asked_at
    return max(0.0, schedule.triage.heartbeat_interval_seconds - next_turn_in)


def _questions_at(
    population: Population, schedule: Schedule, may_be_silent: float
) -> tuple[float, float]:
    """The parts of the connections that are checked, and that get a heartbeat."""
    rules, interval = schedule.triage, schedule.interval_seconds
    talks = population.messages_per_minute / 60
    opens = 1 / population.mean_life_seconds
    if population.notes_last_seen:
        left_alone = min(rules.fresh_seconds, may_be_silent)
        asked = _silent_part(left_alone, talks + opens, interval, rules.heartbeat_mode)
    else:
        left_alone = min(rules.newborn_grace_seconds, may_be_silent)
        asked = exp(-left_alone * opens)
    match rules.heartbeat_mode:
        case HeartbeatMode.OFF:
            return asked, 0.0
        case HeartbeatMode.ALWAYS:
            return 0.0, asked
        case HeartbeatMode.IDLE:
            silent = _silent_part(may_be_silent, talks + opens, interval, rules.heartbeat_mode)
            checked = asked - silent if population.notes_last_seen else asked
            return max(0.0, checked), silent


def _silent_part(seconds: float, per_second: float, interval: float, mode: HeartbeatMode) -> float:
    """The part of the connections that have been silent for so long when their turn comes.

    They break their silence ``per_second``, by a message or by being opened. A heartbeat breaks it
    too: of the turns that fall within ``seconds`` only one can have brought one.
    """
    silent = exp(-seconds * per_second)
    if mode is HeartbeatMode.OFF or seconds == float("inf"):
        return silent
    turns = floor(seconds / interval)
    return silent / (1 + sum(exp(-n * interval * per_second) for n in range(1, turns + 1)))


def _ratio(heartbeats: float, population: Population, interval: float) -> float | None:
    messages = population.connections * population.messages_per_minute * interval / 60
    return heartbeats / messages if messages else None


def _read_units(population: Population, zombies: float, interval: float) -> float:
    scanned = (population.connections + zombies) * population.row_bytes / SCAN_BYTES_PER_UNIT
    return scanned * MONTH_SECONDS / interval


def _table_dollars(population: Population, zombies: float, interval: float) -> float:
    """The scans, and of each zombie the reading and the deletion."""
    lost = population.opened_per_second * population.zombie_rate * MONTH_SECONDS
    reads = _read_units(population, zombies, interval) + lost
    return reads * prices.READ_UNIT + lost * prices.WRITE_UNIT
