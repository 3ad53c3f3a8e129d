"""Segments as messages: what all workers must agree on without speaking to each other."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.segments import (
    ForeignSegment,
    NoSegment,
    Segment,
    may_be_enqueued,
    segments_of_sweep,
    sweep_at,
)

segments = st.builds(
    lambda table, sweep, every, total, n: Segment(table, sweep, every, n % total, total),
    st.text(min_size=1),
    st.integers(0, 10**10),
    st.floats(0.1, 86_400),
    st.integers(1, 100),
    st.integers(0, 99),
)


@given(segments)
def test_a_segment_comes_back_from_its_message(segment):
    assert Segment.of_table(segment.to_text(), segment.table) == segment


@given(segments, segments)
def test_only_the_same_work_has_the_same_identity(one, other):
    same = one.is_of_sweep(other) and one.index == other.index
    assert (one.identity == other.identity) is same


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_whatever_else_is_on_the_queue_is_no_segment(text):
    with pytest.raises(NoSegment):
        Segment.of_table(text, "t")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"index": 4},
        {"index": -1},
        {"total_segments": 0},
        {"total_segments": "4"},
        {"sweep": None},
        {"interval_seconds": 0},
        {"interval_seconds": "300"},
        {"sweep": -1},
        {"more": 1},
        {"sweep": 2.5},
        {"index": True},
        {"total_segments": 4.0},
        {"total_segments": 2_000_000},
        {"interval_seconds": True},
        {"interval_seconds": 1e999},
        {"settings": ["A"]},
        {"settings": {"A": 1}},
    ],
)
def test_a_message_that_is_nearly_a_segment_is_none(fields):
    sound = {"table": "t", "sweep": 1, "interval_seconds": 300, "index": 0, "total_segments": 4}
    assert Segment.of_table(json.dumps(sound), "t")
    with pytest.raises(NoSegment):
        Segment.of_table(json.dumps(sound | (fields or {"table": 5})), "t")


def test_a_segment_of_another_table_says_so():
    with pytest.raises(ForeignSegment, match="about table theirs, which needs a queue of its own"):
        Segment.of_table(Segment("theirs", 1, 300, 0, 4).to_text(), "ours")


def test_a_segment_of_workers_with_other_settings_names_the_variables():
    text = Segment("t", 1, 300, 0, 4, {"A": "1", "B": "2"}).to_text()
    assert Segment.of_table(text, "t", {"B": "2", "A": "1"})
    with pytest.raises(ForeignSegment) as raised:
        Segment.of_table(text, "t", {"A": "1", "B": "3", "C": "4"})
    assert raised.value.differing == ("B", "C")


def test_segments_of_two_tables_never_keep_each_other_from_the_queue():
    ours, theirs = segments_of_sweep("t", 7, 300, 16), segments_of_sweep("u", 7, 300, 16)
    assert not {one.identity for one in ours} & {one.identity for one in theirs}
    assert not {one.group for one in ours} & {one.group for one in theirs}


@given(segments)
def test_group_and_identity_are_such_as_sqs_takes(segment):
    for text in (segment.group, segment.identity):
        assert re.fullmatch(r"[A-Za-z0-9.+-]{1,128}", text)


def test_a_sweep_is_the_whole_table_each_segment_in_a_group_of_its_own():
    segments = segments_of_sweep("t", 7, 300, 16)
    assert [segment.index for segment in segments] == list(range(16))
    assert len({segment.group for segment in segments}) == 16
    assert {segment.group for segment in segments} == {
        one.group for one in segments_of_sweep("t", 8, 300, 16)
    }


@given(st.floats(1, 10**10), st.floats(0.1, 86_400))
def test_sweeps_follow_each_other_by_the_interval(now, interval):
    sweep = sweep_at(now, interval)
    assert sweep * interval <= now * (1 + 1e-12)
    assert now < (sweep + 1) * interval * (1 + 1e-12)


@pytest.mark.parametrize(("interval", "within"), [(60, 30), (300, 150), (3600, 240)])
def test_a_sweep_is_enqueued_early_on_and_while_sqs_still_knows_its_messages(interval, within):
    begins_at = 10 * interval
    assert may_be_enqueued(10, begins_at, interval)
    assert may_be_enqueued(10, begins_at + within - 1, interval)
    assert not may_be_enqueued(10, begins_at + within, interval)


@pytest.mark.parametrize(("interval", "within"), [(60, 60), (300, 240), (3600, 240)])
def test_where_the_queue_was_out_of_reach_a_late_sweep_beats_none(interval, within):
    begins_at = 10 * interval
    assert may_be_enqueued(10, begins_at + within - 1, interval, was_tried=True)
    assert not may_be_enqueued(10, begins_at + within, interval, was_tried=True)


def test_a_segment_tells_when_its_sweep_is_whatever_the_readers_interval():
    segment = Segment("t", 7, 300, 0, 4)
    assert (segment.begins_at, segment.ends_at) == (2100, 2400)
    assert not segment.is_of_sweep(Segment("t", 7, 60, 0, 4))
    assert segment.is_of_sweep(Segment("t", 7, 300, 3, 4))
