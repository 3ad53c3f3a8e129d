"""Pacing: never over the rate, hardly under it, and quick to yield."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.pacing.concurrency import MAX_IN_FLIGHT, MIN_IN_FLIGHT, ConcurrencyLimit
from reaper.core.pacing.rate import (
    CATCH_UP_SECONDS,
    MIN_RATE_RPS,
    RECOVERY_SECONDS,
    AIMDRate,
    TokenBucket,
    spread_rate,
)
from tests.support.moments import most_within


def grants(bucket: TokenBucket, seconds: float, tick: float) -> list[float]:
    """When tokens were granted to a caller who looks every ``tick`` seconds and takes all."""
    moments, now = [], 0.0
    while now < seconds:
        while bucket.take(now):
            moments.append(now)
        now += tick
    return moments


@pytest.mark.parametrize("rate", [50, 1000, 8000])
@pytest.mark.parametrize("tick", [0.0001, 0.001, 0.005])
def test_the_rate_is_reached_and_no_second_exceeds_it_by_two_percent(rate, tick):
    moments = grants(TokenBucket(rate, 0.0), 5, tick)

    assert most_within(1, moments) <= rate * 1.02
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
        assert most_within(1, moments) <= rate * 1.01 + 2


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
    rate = AIMDRate.starting_at(1000, 0.0)
    assert rate.rate(0.0) == 1000
    assert rate.throttled(0.0)
    assert rate.rate(0.0) == 500
    assert not rate.throttled(0.5)
    assert rate.throttled(1.5)
    assert rate.rate(1.5) < 300
    assert rate.rate(1.5 + RECOVERY_SECONDS) == 1000


@given(st.lists(st.floats(0, 5), max_size=50))
def test_the_rate_stays_within_its_bounds(gaps):
    rate, now = AIMDRate.starting_at(100, 0.0), 0.0
    for gap in gaps:
        now += gap
        before = rate.rate(now)
        if rate.throttled(now):
            assert rate.rate(now) < before or before == MIN_RATE_RPS
        assert MIN_RATE_RPS <= rate.rate(now) <= 100


@given(calls=st.integers(0, 10**7), window=st.floats(1, 3600), budget=st.floats(1, 10_000))
def test_a_spread_sweep_takes_its_window_and_never_exceeds_the_budget(calls, window, budget):
    rate = spread_rate(calls, window, budget)
    assert rate <= budget
    assert rate == budget or calls / rate <= window * 1.001


class Server:
    """Answers after ``latency`` seconds, and no more than ``capacity`` requests a second."""

    def __init__(self, in_flight: ConcurrencyLimit, rate: float) -> None:
        self.in_flight, self.rate, self.now = in_flight, rate, 0.0

    def serve(self, seconds: float, latency: float, capacity: float = math.inf) -> float:
        """Requests a second that are answered in the end."""
        end, tick, answers_rps, due = self.now + seconds, 0.005, 0.0, 0.0
        while self.now < end:
            limit = self.in_flight.limit
            answers_rps = min(self.rate, limit / latency, capacity)
            is_full = answers_rps < self.rate
            due += answers_rps * tick
            while due >= 1:
                due -= 1
                self.in_flight.note_answer(limit / answers_rps if is_full else latency)
            if is_full:
                self.in_flight.note_full()
            self.in_flight.adjust(self.rate, self.now)
            self.now += tick
        return answers_rps


@pytest.mark.parametrize("rate", [5, 100, 1000, 8000])
@pytest.mark.parametrize("latency", [0.001, 0.02, 0.05, 0.1])
def test_by_littles_law_enough_are_in_flight_for_the_rate(rate, latency):
    in_flight = ConcurrencyLimit(0.0)
    assert Server(in_flight, rate).serve(10, latency) == rate
    assert in_flight.limit <= max(MIN_IN_FLIGHT, 2.1 * rate * latency)


@pytest.mark.parametrize("capacity", [500, 5000])
def test_a_queue_that_only_grows_longer_is_not_fed(capacity):
    in_flight = ConcurrencyLimit(0.0)
    Server(in_flight, 10_000).serve(120, 0.002, capacity)
    assert in_flight.limit <= 4 * 10_000 * 0.002


def test_a_gateway_that_turns_slow_still_gets_the_whole_rate():
    in_flight = ConcurrencyLimit(0.0)
    server = Server(in_flight, 1000)
    server.serve(10, 0.01)
    assert server.serve(20, 0.1) == 1000


def test_a_gateway_that_hangs_does_not_eat_the_file_descriptors():
    in_flight = ConcurrencyLimit(0.0)
    Server(in_flight, 10_000).serve(60, 5.0)
    assert in_flight.limit == MAX_IN_FLIGHT


def test_the_operators_own_limit_stands():
    in_flight = ConcurrencyLimit(0.0, fixed=3)
    Server(in_flight, 1000).serve(10, 0.05)
    assert in_flight.limit == 3


def test_a_new_rate_is_for_what_is_left_of_the_wait_too():
    bucket = TokenBucket(0.01, now=0.0)
    assert bucket.take(0.0)
    assert bucket.seconds_to_next(10.0) == pytest.approx(90)
    bucket.set_rate(1.0, 10.0)
    assert bucket.seconds_to_next(10.0) == pytest.approx(0.9)
    bucket.set_rate(0.1, 10.5)
    assert bucket.seconds_to_next(10.5) == pytest.approx(4)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(1, 100)), min_size=1, max_size=50))
def test_however_the_rate_changes_no_more_is_granted_than_the_highest(changes):
    bucket, now, taken = TokenBucket(1.0, 0.0), 0.0, 0
    for seconds, rate in changes:
        bucket.set_rate(rate, now)
        end = now + seconds
        while now <= end:
            taken += bucket.take(now)
            now += 0.001
    highest = max([1.0, *(rate for _, rate in changes)])
    assert taken <= highest * (now + CATCH_UP_SECONDS) + 1
