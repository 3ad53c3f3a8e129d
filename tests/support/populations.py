"""A population of connections, and how it is swept."""

from __future__ import annotations

from dataclasses import replace

from reaper.core.plan.population import Population, Timetable
from reaper.core.triage import HeartbeatMode
from tests.support.builders import DEFAULT_RULES

POPULATION = Population(
    connections=1000,
    mean_life_seconds=1500,
    messages_per_minute=0.5,
    zombie_rate=0.2,
    row_bytes=200,
    notes_last_seen=False,
)
TIMETABLE = Timetable(
    triage=DEFAULT_RULES,
    interval_seconds=300,
    confirm_delay_seconds=60,
    quota_rps=10_000,
    quota_share=0.1,
)


def with_mode(mode: HeartbeatMode, **changes) -> Timetable:
    fresh = 300 if mode is HeartbeatMode.OFF else 180
    triage = replace(DEFAULT_RULES, heartbeat_mode=mode, fresh_seconds=fresh)
    return replace(TIMETABLE, triage=triage, **changes)
