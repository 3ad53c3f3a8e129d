"""What a population of connections will ask of the reaper, and cost, before it is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, inf
from typing import NamedTuple

from reaper.core.pacing.rate import SPREAD_FRACTION
from reaper.core.plan.population import (
    Population,
    Timetable,
    evict_seconds,
    panel_calls,
    probes_per_sweep,
    sweep_seconds,
    zombie_calls,
)
from reaper.core.platform import (
    MAX_CONNECTION_LIFE_SECONDS,
    MAX_NEW_CONNECTIONS_PER_SECOND,
    READ_UNIT_DOLLARS,
    WRITE_UNIT_DOLLARS,
    message_dollars,
)
from reaper.core.triage import HeartbeatMode

MONTH_SECONDS = 30 * 86_400.0
DAY_SECONDS = 86_400.0

NAIVE_INTERVAL_SECONDS = 60.0
"""The heartbeat that people write first: a POST to every row each minute."""

ONE_WORKER_RPS = 5_000.0
"""What one process on one core does in a slow hour of a shared machine (``make bench``, rows a
second of a sweep). In a fast hour, or on a core of its own, it is up to twice that."""

STRETCH_STEPS = 8
"""Halvings of the room for a heartbeat interval: to within a second."""

SCAN_BYTES_PER_UNIT = 8192
READ_BYTES_PER_UNIT = 4096
WRITE_BYTES_PER_UNIT = 1024


class Plan(NamedTuple):
    """Rates are means, counts are per sweep, money is in dollars a month of 30 days."""

    rps: float
    """Requests a second that a sweep needs to keep to its part of the interval."""
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
    heartbeat_interval_seconds: float
    """As the ratio limit has stretched it."""
    api_calls_per_day: float
    read_units_per_month: float
    heartbeat_dollars: float
    table_dollars: float

    @property
    def dollars(self) -> float:
        return self.heartbeat_dollars + self.table_dollars

    @property
    def workers(self) -> int:
        """Processes, of one core each, that such a rate takes."""
        return ceil(self.rps / ONE_WORKER_RPS)


def plan(population: Population, timetable: Timetable) -> Plan:
    """What the reaper needs and does."""
    interval = timetable.interval_seconds
    checks, heartbeats = probes_per_sweep(population, timetable)
    lost = population.opened_per_second * population.zombie_rate * interval
    looks, tried = zombie_calls(population, timetable)
    checks += lost * looks + panel_calls(timetable, lost, population.connections)
    api_calls = checks + heartbeats + lost * tried
    window = max(timetable.window_seconds, api_calls / timetable.budget_rps)
    stays = evict_seconds(population, timetable, window)
    zombies = lost / interval * sum(stays) / len(stays)
    rps = api_calls / timetable.window_seconds
    return Plan(
        rps=rps,
        quota_share=rps / timetable.quota_rps,
        sweep_seconds=sweep_seconds(timetable, window, lost),
        checks=checks,
        heartbeats=heartbeats,
        api_calls=api_calls,
        zombies=zombies,
        evict_seconds_median=stays[len(stays) // 2],
        evict_seconds_p99=stays[len(stays) * 99 // 100],
        heartbeat_message_ratio=_ratio(heartbeats, population, interval),
        heartbeat_interval_seconds=timetable.triage.heartbeat_interval_seconds,
        api_calls_per_day=api_calls * DAY_SECONDS / interval,
        read_units_per_month=_read_units(population, zombies, interval),
        heartbeat_dollars=_heartbeat_dollars(heartbeats, population, interval),
        table_dollars=_table_dollars(population, zombies, interval),
    )


def within_ratio(
    population: Population, timetable: Timetable, limit: float, longest: float
) -> Timetable:
    """The timetable with the heartbeat interval that keeps the ratio within a limit.

    It is stretched to so many seconds at most; beyond that the ratio is exceeded.
    """

    def at(seconds: float) -> Timetable:
        triage = replace(timetable.triage, heartbeat_interval_seconds=seconds)
        return replace(timetable, triage=triage)

    def exceeds(seconds: float) -> bool:
        ratio = plan(population, at(seconds)).heartbeat_message_ratio
        return ratio is not None and ratio > limit

    shortest = timetable.triage.heartbeat_interval_seconds
    longest = max(shortest, longest)
    if not exceeds(shortest) or exceeds(longest):
        return at(longest if exceeds(shortest) else shortest)
    for _ in range(STRETCH_STEPS):
        middle = (shortest + longest) / 2
        shortest, longest = (middle, longest) if exceeds(middle) else (shortest, middle)
    return at(longest)


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
        heartbeat_interval_seconds=interval,
        api_calls_per_day=rows * DAY_SECONDS / interval,
        read_units_per_month=_read_units(population, zombies, interval),
        heartbeat_dollars=_heartbeat_dollars(population.connections, population, interval),
        table_dollars=_table_dollars(population, zombies, interval),
    )


def obstacles(
    population: Population, timetable: Timetable, ratio_limit: float = inf
) -> Iterator[str]:
    """Why this cannot work, each with the cure; nothing where it can."""
    if population.mean_life_seconds > MAX_CONNECTION_LIFE_SECONDS:
        yield "no connection lives longer than 2 hours: --mean-life-seconds is at most 7200"
        return
    if population.opened_per_second > MAX_NEW_CONNECTIONS_PER_SECOND:
        yield (
            f"API Gateway accepts {MAX_NEW_CONNECTIONS_PER_SECOND:g} new connections a second, and"
            f" {population.opened_per_second:,.0f} would be opened: ask AWS for a higher quota"
        )
    heartbeat = timetable.triage.heartbeat_interval_seconds
    sends_heartbeats = timetable.triage.heartbeat_mode is not HeartbeatMode.OFF
    longest_wait = timetable.interval_seconds + timetable.window_seconds
    if sends_heartbeats and longest_wait > heartbeat:
        yield (
            f"up to {longest_wait:g} s pass between two looks at a row, so sockets stay silent for"
            f" longer than REAPER_HEARTBEAT_INTERVAL_SECONDS={heartbeat:g} and may run into the"
            " idle timeout: set REAPER_SWEEP_INTERVAL_SECONDS to at most"
            f" {heartbeat / (1 + SPREAD_FRACTION):g}"
        )
    ratio = plan(population, timetable).heartbeat_message_ratio
    if ratio is not None and ratio > ratio_limit:
        yield (
            f"{ratio:.3g} heartbeats per message are above REAPER_MAX_HEARTBEAT_RATIO="
            f"{ratio_limit:g}, even at a heartbeat interval of {heartbeat:g} s: raise the limit,"
            " note signs of life on the rows (--last-seen), or switch heartbeats off if clients"
            " reconnect"
        )
    needed = plan(population, timetable).rps
    if not sends_heartbeats:
        needed *= SPREAD_FRACTION  # nobody falls silent if a sweep takes the whole interval
    if needed > timetable.quota_rps:
        yield (
            f"{needed:,.0f} requests a second are needed and the Region's quota is"
            f" {timetable.quota_rps:,.0f}: ask AWS for a higher one, or sweep less often"
        )
    elif needed > timetable.budget_rps:
        yield (
            f"{needed:,.0f} requests a second are needed and the budget is"
            f" {timetable.budget_rps:,.0f}: set REAPER_QUOTA_SHARE to at least"
            f" {ceil(100 * needed / timetable.quota_rps) / 100:g}, or sweep less often"
        )


def _ratio(heartbeats: float, population: Population, interval: float) -> float | None:
    messages = population.connections * population.messages_per_minute * interval / 60
    return heartbeats / messages if messages else None


def _heartbeat_dollars(heartbeats: float, population: Population, interval: float) -> float:
    """On top of the application's own messages, which fill the dearer tier first."""
    month_minutes = MONTH_SECONDS / 60
    others = population.connections * population.messages_per_minute * month_minutes
    return message_dollars(heartbeats * MONTH_SECONDS / interval, others)


def _read_units(population: Population, zombies: float, interval: float) -> float:
    scanned = (population.connections + zombies) * population.row_bytes / SCAN_BYTES_PER_UNIT
    return scanned * MONTH_SECONDS / interval


def _table_dollars(population: Population, zombies: float, interval: float) -> float:
    """The scans, and of each zombie the reading and the deletion."""
    lost = population.opened_per_second * population.zombie_rate * MONTH_SECONDS
    read_units = lost * ceil(population.row_bytes / READ_BYTES_PER_UNIT)
    write_units = lost * ceil(population.row_bytes / WRITE_BYTES_PER_UNIT)
    scanned = _read_units(population, zombies, interval)
    return (scanned + read_units) * READ_UNIT_DOLLARS + write_units * WRITE_UNIT_DOLLARS
