"""The plan: what it costs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reaper.core.plan.plan import naive_plan, obstacles, plan, within_ratio
from reaper.core.plan.population import Population, Timetable
from reaper.core.platform import message_dollars
from reaper.core.triage import HeartbeatMode, TriageRules
from tests.support.populations import POPULATION, TIMETABLE, with_mode


def test_ten_thousand_connections_cost_what_the_readme_says():
    talkative = POPULATION._replace(connections=10_000)
    naive = naive_plan(talkative, quota_rps=10_000)

    assert naive.heartbeat_dollars == pytest.approx(432)
    assert naive.quota_share == pytest.approx(naive.rps / 10_000)
    assert 0.016 < naive.quota_share < 0.018
    assert naive.heartbeat_message_ratio == pytest.approx(1 / talkative.messages_per_minute)
    idle = plan(talkative._replace(messages_per_minute=0, mean_life_seconds=7200), TIMETABLE)
    assert 80 < idle.heartbeat_dollars < 86.4
    assert idle.heartbeat_message_ratio is None


@pytest.mark.parametrize(
    ("population", "timetable", "reason"),
    [
        (POPULATION._replace(mean_life_seconds=7201), TIMETABLE, "longer than 2 hours"),
        (POPULATION._replace(connections=10**6), TIMETABLE, "500 new connections a second"),
        (POPULATION, with_mode(HeartbeatMode.IDLE, interval_seconds=400), "idle timeout"),
        (POPULATION._replace(connections=200_000), TIMETABLE, "REAPER_QUOTA_SHARE to at least 0."),
        (POPULATION._replace(connections=700_000), replace(TIMETABLE, quota_rps=2500), "quota is"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(population, timetable, reason):
    assert any(reason in obstacle for obstacle in obstacles(population, timetable))


def test_what_works_is_not_refused():
    assert list(obstacles(POPULATION, TIMETABLE)) == []
    rarely = with_mode(HeartbeatMode.OFF, interval_seconds=3600)
    assert list(obstacles(POPULATION, rarely)) == []


def test_messages_above_a_billion_a_month_cost_less():
    assert message_dollars(1e6, 0) == pytest.approx(1.0)
    assert message_dollars(1e6, 2e9) == pytest.approx(0.8)
    assert message_dollars(2e9, 0) == pytest.approx(1000 + 800)
    assert message_dollars(1e9, 0.5e9) == pytest.approx(500 + 400)


def test_a_ratio_limit_stretches_the_heartbeat_interval_as_far_as_it_must():
    population = Population(10_000, 7200, 0.3, 0.05, 200, False)
    timetable = Timetable(TriageRules(60, 7500, 420, HeartbeatMode.IDLE, 480), 60, 60, 10_000, 0.1)
    ratio = plan(population, timetable).heartbeat_message_ratio
    within = within_ratio(population, timetable, ratio * 0.95, 540)
    stretched = plan(population, within)
    assert 480 < stretched.heartbeat_interval_seconds < 540
    assert stretched.heartbeat_message_ratio <= ratio * 0.95
    assert list(obstacles(population, within, ratio * 0.95)) == []

    too_little = within_ratio(population, timetable, ratio * 0.1, 540)
    assert too_little.triage.heartbeat_interval_seconds == 540
    (why,) = obstacles(population, too_little, ratio * 0.1)
    assert "above REAPER_MAX_HEARTBEAT_RATIO" in why

    same = within_ratio(population, timetable, ratio * 2, 540)
    assert same.triage.heartbeat_interval_seconds == 480
