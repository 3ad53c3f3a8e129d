"""The histogram of latencies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reaper.core.pacing.latency import BOUNDS_SECONDS, Latencies

latencies = st.lists(st.floats(0, 60))


@given(latencies)
def test_each_bucket_holds_what_is_at_most_its_bound(observed):
    histogram = Latencies()
    for seconds in observed:
        histogram.observe(seconds)
    for n, bound in enumerate(BOUNDS_SECONDS):
        assert sum(histogram.counts[: n + 1]) == sum(seconds <= bound for seconds in observed)


@given(latencies, latencies)
def test_sums_of_histograms_are_histograms_of_both(some, more):
    one, other, both = Latencies(), Latencies(), Latencies()
    for seconds in some:
        one.observe(seconds)
        both.observe(seconds)
    for seconds in more:
        other.observe(seconds)
        both.observe(seconds)
    one.add(other)
    assert one.counts == both.counts
