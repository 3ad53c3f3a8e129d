"""The ratio, and what the rows' counters tell about a window."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.report.ratio import (
    CALM,
    MAX_STRETCH,
    HeartbeatPace,
    PerMinute,
    RatioLimit,
    heartbeat_message_ratio,
    messages_in_window,
    ratio_over,
)


def test_the_ratio_is_absent_without_messages():
    assert heartbeat_message_ratio(10, 40) == 0.25
    assert heartbeat_message_ratio(0, 40) == 0
    assert heartbeat_message_ratio(10, 0) is None
    assert heartbeat_message_ratio(10, None) is None


@pytest.mark.parametrize(
    ("count", "age", "messages"),
    [(10, 100, 10), (10, 300, 10), (10, 600, 5), (12, 3600, 1), (24, None, 1), (10, -5, 10)],
)
def test_a_counter_is_shared_out_over_the_connections_life(count, age, messages):
    assert messages_in_window(count, age, 300) == pytest.approx(messages)


@given(
    count=st.integers(0, 10**6), age=st.none() | st.floats(-300, 7200), window=st.floats(1, 3600)
)
def test_a_window_never_holds_more_messages_than_were_counted(count, age, window):
    assert 0 <= messages_in_window(count, age, window) <= count


class Counts(NamedTuple):
    heartbeats: int
    messages: int | None


def test_the_ratio_over_several_sweeps_is_that_of_their_sums():
    assert ratio_over([Counts(10, 100), Counts(90, 100)]) == 0.5
    assert ratio_over([Counts(10, 100), Counts(90, None)]) == 0.1
    assert ratio_over([Counts(10, 0)]) is None
    assert ratio_over([]) is None


def test_growth_is_remembered_by_the_minute_and_for_so_long_only():
    growth = PerMinute(minutes_kept=5)
    growth.note(10, at=60)
    growth.note(15, at=119)
    growth.note(15, at=130)
    growth.note(18, at=180)
    assert growth.between(60, 120) == 15
    assert growth.between(60, 240) == 18
    assert growth.between(0, 60) == 0
    growth.note(19, at=6000)
    assert growth.between(0, 6000) == 0


LIMIT = RatioLimit(limit=0.5, min_seconds=480, max_seconds=570)
counts = st.integers(0, 10**6)
intervals = st.floats(LIMIT.min_seconds, LIMIT.max_seconds)


@given(interval=intervals, heartbeats=counts, messages=counts)
def test_the_interval_stays_within_its_bounds_and_moves_the_right_way(
    interval, heartbeats, messages
):
    after = LIMIT.next_interval(interval, heartbeats, messages)
    assert LIMIT.min_seconds <= after <= LIMIT.max_seconds
    if heartbeats > LIMIT.limit * messages:
        assert after >= interval
    elif not heartbeats or heartbeats < CALM * LIMIT.limit * messages:
        assert after <= interval
    else:
        assert after == interval


def test_a_moment_without_messages_does_not_decide_about_an_hour():
    wide = RatioLimit(limit=0.5, min_seconds=100, max_seconds=10_000)
    assert wide.next_interval(400, 10**6, 0) == 400 * MAX_STRETCH
    assert wide.next_interval(400, 0, 0) == 400 / MAX_STRETCH


class Traffic(NamedTuple):
    """A steady population that was opened all at once. Sweeps come at a fixed pace."""

    clients: int
    messages_per_second: float
    sweep_seconds: float

    def sweeps_between_heartbeats(self, interval: float) -> int:
        return max(1, floor(interval / self.sweep_seconds))

    def live(self, pace: HeartbeatPace, hours: float) -> list[float]:
        """The interval after each sweep."""
        course, since = [], 0
        for n in range(1, int(hours * 3600 / self.sweep_seconds)):
            since += 1
            is_due = since >= self.sweeps_between_heartbeats(pace.interval_seconds)
            heartbeats = self.clients if is_due else 0
            since = 0 if is_due else since
            messages = round(self.messages_per_second * self.sweep_seconds)
            pace.learn(Counts(heartbeats, messages), n * self.sweep_seconds)
            course.append(pace.interval_seconds)
        return course

    def ratio(self, interval: float) -> float:
        between = self.sweeps_between_heartbeats(interval) * self.sweep_seconds
        return self.clients / between / self.messages_per_second


@given(
    clients=st.integers(1000, 10**5),
    ratio_at_first=st.floats(0.05, 10),
    sweep_seconds=st.integers(30, 600),
)
def test_with_steady_traffic_it_comes_to_rest_within_the_limit_or_at_its_end(
    clients, ratio_at_first, sweep_seconds
):
    limit = RatioLimit(limit=0.5, min_seconds=480, max_seconds=4000)
    traffic = Traffic(clients, clients / 480 / ratio_at_first, sweep_seconds)
    course = traffic.live(HeartbeatPace(limit, 0), hours=96)

    rest = course[-1]
    assert course == sorted(course), "it never turns back"
    for interval in course[len(course) // 4 :]:
        assert traffic.ratio(interval) <= limit.limit * 1.05 or interval == limit.max_seconds
    assert traffic.ratio(rest) >= limit.limit / 2 or rest == limit.min_seconds


def test_when_there_are_messages_again_it_comes_back():
    limit = RatioLimit(limit=0.5, min_seconds=480, max_seconds=4000)
    pace = HeartbeatPace(limit, 0)
    Traffic(1000, 0.1, 60).live(pace, hours=24)
    assert pace.interval_seconds == 4000
    pace.learn(Counts(0, None), 10**6)
    for n in range(1, 1000):
        pace.learn(Counts(10, 1000), 10**6 + 60 * n)
    assert pace.interval_seconds == 480


def test_it_falls_back_at_once_and_looks_afresh():
    pace = HeartbeatPace(RatioLimit(limit=0.5, min_seconds=480, max_seconds=4000), 0)
    assert not pace.fall_back(now=1)
    Traffic(1000, 0.1, 60).live(pace, hours=24)
    assert pace.fall_back(now=10**6)
    assert pace.interval_seconds == 480
    assert not pace.learn(Counts(1000, 1), now=10**6 + 900)
    assert pace.learn(Counts(1000, 1), now=10**6 + 960)


def test_where_nobody_counts_messages_the_interval_stays():
    pace = HeartbeatPace(LIMIT, 0)
    assert not any(pace.learn(Counts(1000, None), 60 * n) for n in range(1000))
