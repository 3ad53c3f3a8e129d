"""The plan: what it costs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reaper.core.plan.plan import naive_plan, obstacles, plan
from reaper.core.triage import HeartbeatMode
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
