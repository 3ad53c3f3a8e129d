"""Calls of a function that others need too: fewer after each throttling, never none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reaper.core.pacing.throttled import (
    FIRST_PAUSE_SECONDS,
    MAX_THROTTLED_IN_A_ROW,
    ThrottledConcurrency,
)

seconds_apart = st.integers(0, 160).map(lambda eighths: eighths / 8)
"""Whose sums are exact, so that the bounds are too."""


@given(events=st.lists(st.tuples(st.booleans(), seconds_apart), max_size=60))
def test_it_stays_within_its_bounds_and_never_pauses_for_long(events):
    concurrency, now = ThrottledConcurrency(20), 0.0
    for is_throttled, seconds in events:
        now += seconds
        if concurrency.is_hopeless:
            concurrency.begin()
        before = concurrency.limit
        if is_throttled:
            concurrency.note_throttled(now)
            assert concurrency.limit <= before
        else:
            concurrency.note_success()
            assert before <= concurrency.limit <= before + 1
        assert 1 <= concurrency.limit <= 20
        longest = FIRST_PAUSE_SECONDS * 2 ** (MAX_THROTTLED_IN_A_ROW - 1)
        assert concurrency.seconds_to_next(now) <= longest


def test_a_burst_counts_once_and_throttling_in_a_row_pauses_longer():
    concurrency = ThrottledConcurrency(20)
    for _ in range(20):
        concurrency.note_throttled(100.0)
    assert (concurrency.limit, concurrency.seconds_to_next(100.0)) == (10, 0.5)
    concurrency.note_throttled(101.0)
    assert (concurrency.limit, concurrency.seconds_to_next(101.0)) == (5, 1.0)
    concurrency.note_success()
    concurrency.note_throttled(110.0)
    assert (concurrency.limit, concurrency.seconds_to_next(110.0)) == (2, 0.5)
