"""Pacing: never over the rate, hardly under it, and quick to yield."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.pacing import (
    LOWEST_RATE_RPS,
    RECOVERY_SECONDS,
    AdaptiveRate,
    TokenBucket,
    in_flight_limit,
    spread_rate,
)


def grants(bucket: TokenBucket, seconds: float, tick: float) -> list[float]:
    """When tokens were granted to a caller who looks every ``tick`` seconds and takes all."""
    moments, now = [], 0.0
    while now < seconds:
        while bucket.take(now):
            moments.append(now)
        now += tick
    return moments


def most_in_a_second(moments: list[float]) -> int:
    most = start = 0
    for end, moment in enumerate(moments):
        while moments[start] <= moment - 1:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.mark.parametrize("rate", [50, 1000, 8000])
@pytest.mark.parametrize("tick", [0.0001, 0.001, 0.005])
def test_the_rate_is_reached_and_no_second_exceeds_it_by_two_percent(rate, tick):
    moments = grants(TokenBucket(rate, 0.0), 5, tick)

    assert most_in_a_second(moments) <= rate * 1.02
    assert len(moments) >= rate * 5 * 0.97


@given(
    rate=st.floats(1, 5000),
    naps=st.lists(st.floats(0, 3), max_size=60),
)
def test_no_pattern_of_calls_gets_more_than_the_rate(rate, naps):
    bucket, now, moments = TokenBucket(rate, 0.0), 0.0, []
    for nap in naps:
        now += nap
        for _ in range(200):
            if not bucket.take(now):
                break
            moments.append(now)
    if moments:
        assert most_in_a_second(moments) <= rate * 1.01 + 2


def test_it_tells_when_the_next_token_is_ready():
    bucket = TokenBucket(10, 0.0)
    assert bucket.take(0.0)
    assert bucket.seconds_to_next(0.0) == pytest.approx(0.1)
    assert not bucket.take(0.099)
    assert bucket.take(0.1)


def test_what_was_spent_already_is_paid_off_first():
    bucket = TokenBucket(100, 0.0)
    bucket.spend(50, 0.0)
    assert bucket.seconds_to_next(0.0) == pytest.approx(0.5)
    assert bucket.seconds_to_next(0.6) == 0


def test_a_throttle_halves_the_rate_once_per_burst_and_recovery_is_slow():
    rate = AdaptiveRate.starting_at(1000, 0.0)
    assert rate.rate(0.0) == 1000
    assert rate.throttled(0.0)
    assert rate.rate(0.0) == 500
    assert not rate.throttled(0.5)
    assert rate.throttled(1.5)
    assert rate.rate(1.5) < 300
    assert rate.rate(1.5 + RECOVERY_SECONDS) == 1000


@given(st.lists(st.floats(0, 5), max_size=50))
def test_the_rate_stays_within_its_bounds(gaps):
    rate, now = AdaptiveRate.starting_at(100, 0.0), 0.0
    for gap in gaps:
        now += gap
        before = rate.rate(now)
        if rate.throttled(now):
            assert rate.rate(now) < before or before == LOWEST_RATE_RPS
        assert LOWEST_RATE_RPS <= rate.rate(now) <= 100


@given(calls=st.integers(0, 10**7), window=st.floats(1, 3600), budget=st.floats(1, 10_000))
def test_a_spread_sweep_takes_its_window_and_never_exceeds_the_budget(calls, window, budget):
    rate = spread_rate(calls, window, budget)
    assert rate <= budget
    assert rate == budget or calls / rate <= window * 1.001


def test_littles_law_says_how_many_are_in_flight():
    assert in_flight_limit(1000, 0.05) == 100
    assert in_flight_limit(1, 0.0) == 8
    assert in_flight_limit(10_000, 60) == 1000
