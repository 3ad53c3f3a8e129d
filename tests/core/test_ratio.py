"""The ratio, and what the rows' counters tell about a window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.ratio import heartbeat_message_ratio, messages_in_window


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
