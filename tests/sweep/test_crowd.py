"""The plan is what comes about: its arithmetic against hours in a simulated world."""

from __future__ import annotations

import statistics

import pytest

from reaper.core.plan.plan import plan
from reaper.core.triage import HeartbeatMode
from tests.support.crowd import Crowd
from tests.support.populations import POPULATION, TIMETABLE, with_mode

pytestmark = pytest.mark.worlds


@pytest.mark.parametrize(
    ("population", "timetable"),
    [
        pytest.param(POPULATION, TIMETABLE, id="idle"),
        pytest.param(POPULATION._replace(messages_per_minute=0), TIMETABLE, id="silent"),
        pytest.param(POPULATION._replace(notes_last_seen=True), TIMETABLE, id="last seen"),
        pytest.param(POPULATION, with_mode(HeartbeatMode.ALWAYS), id="always"),
        pytest.param(
            POPULATION._replace(notes_last_seen=True), with_mode(HeartbeatMode.OFF), id="off"
        ),
        pytest.param(
            POPULATION._replace(messages_per_minute=0.1),
            with_mode(HeartbeatMode.IDLE, interval_seconds=120),
            id="often",
        ),
    ],
)
def test_the_plan_is_what_comes_about(population, timetable, monkeypatch):
    # Of so few rows a sweep would read half ahead; of many it reads next to nothing ahead.
    monkeypatch.setattr("reaper.sweep.triage.MAX_BACKLOG", 5)
    crowd = Crowd(population, timetable)
    crowd.sweep_for(6)
    crowd.evicted_after.clear()
    reports = crowd.sweep_for(24)
    planned = plan(population, timetable)

    def mean(counter: str) -> float:
        return statistics.mean(getattr(report, counter) for report in reports)

    assert mean("api_calls") == pytest.approx(planned.api_calls, rel=0.1)
    assert mean("checks") == pytest.approx(planned.checks, rel=0.1)
    assert mean("heartbeats") == pytest.approx(planned.heartbeats, rel=0.05)
    assert mean("seconds") == pytest.approx(planned.sweep_seconds, rel=0.1)
    percentiles = statistics.quantiles(crowd.evicted_after, n=100)
    assert percentiles[49] == pytest.approx(planned.evict_seconds_median, rel=0.08)
    assert percentiles[98] == pytest.approx(planned.evict_seconds_p99, rel=0.1)
