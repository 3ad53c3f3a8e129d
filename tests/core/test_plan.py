"""The plan: what it costs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reaper.core.plan import naive_plan, obstacles, plan
from reaper.core.population import Population, Schedule
from reaper.core.triage import HeartbeatMode
from tests.core.builders import DEFAULT_RULES

POPULATION = Population(
    connections=1000,
    mean_life_seconds=1500,
    messages_per_minute=0.5,
    zombie_rate=0.2,
    row_bytes=200,
    notes_last_seen=False,
)
SCHEDULE = Schedule(
    triage=DEFAULT_RULES,
    interval_seconds=300,
    confirm_delay_seconds=60,
    quota_rps=10_000,
    quota_share=0.1,
)


def with_mode(mode: HeartbeatMode, **changes) -> Schedule:
    fresh = 300 if mode is HeartbeatMode.OFF else 180
    triage = replace(DEFAULT_RULES, heartbeat_mode=mode, fresh_seconds=fresh)
    return replace(SCHEDULE, triage=triage, **changes)


def test_ten_thousand_connections_cost_what_the_readme_says():
    talkative = POPULATION._replace(connections=10_000)
    naive = naive_plan(talkative, quota_rps=10_000)

    assert naive.heartbeat_dollars == pytest.approx(432)
    assert naive.heartbeat_message_ratio == pytest.approx(1 / talkative.messages_per_minute)
    idle = plan(talkative._replace(messages_per_minute=0, mean_life_seconds=7200), SCHEDULE)
    assert 80 < idle.heartbeat_dollars < 86.4
    assert idle.heartbeat_message_ratio is None


@pytest.mark.parametrize(
    ("population", "schedule", "reason"),
    [
        (POPULATION._replace(mean_life_seconds=7201), SCHEDULE, "longer than 2 hours"),
        (POPULATION._replace(connections=10**6), SCHEDULE, "500 new connections a second"),
        (POPULATION, with_mode(HeartbeatMode.IDLE, interval_seconds=400), "idle timeout"),
        (POPULATION._replace(connections=200_000), SCHEDULE, "REAPER_QUOTA_SHARE to at least 0."),
        (POPULATION._replace(connections=700_000), replace(SCHEDULE, quota_rps=2500), "quota is"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(population, schedule, reason):
    assert any(reason in obstacle for obstacle in obstacles(population, schedule))


def test_what_works_is_not_refused():
    assert list(obstacles(POPULATION, SCHEDULE)) == []
    rarely = with_mode(HeartbeatMode.OFF, interval_seconds=3600)
    assert list(obstacles(POPULATION, rarely)) == []
