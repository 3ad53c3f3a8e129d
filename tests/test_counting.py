"""Messages are counted for as much of the table as a sweep is about."""

from __future__ import annotations

import pytest

from reaper.aws.messages import MessagesUnknown
from reaper.core.report import Tally
from reaper.counting import MessageCounter


class CloudWatch:
    """All POSTs and messages of an API, less the POSTs that it was told of."""

    def __init__(self, counted: int) -> None:
        self.counted = counted
        self.known = 0.0

    def note_heartbeats(self, total: float, at: float) -> None:
        self.known = total

    def count(self, endpoints, now: float) -> int:
        return max(0, round(self.counted - self.known))


def test_the_messages_of_workers_who_share_a_sweep_add_up():
    """400 heartbeats and 1,000 messages; each worker knows its own heartbeats only."""
    shares = {0.25: 100, 0.5: 200, 0.125: 50, 0.125001: 50}
    counts = []
    for share, heartbeats in shares.items():
        counter = MessageCounter(CloudWatch(1_400), by_rows=False)
        tally = Tally(heartbeats=heartbeats)
        counter.note(tally, share, now=0.0)
        counter.sweep_over(tally, share)
        counts.append(counter.count([], tally, share, now=0.0))
    assert sum(counts) == pytest.approx(1_000, abs=4)


def test_a_worker_by_itself_takes_off_just_what_it_sent():
    counter = MessageCounter(CloudWatch(1_400), by_rows=False)
    for heartbeats in (100, 150):
        tally = Tally(heartbeats=heartbeats)
        counter.note(tally, 1.0, now=0.0)
        counter.sweep_over(tally, 1.0)
    assert counter.count([], tally, 1.0, now=0.0) == 1_150


def test_rows_are_counted_where_they_are_swept_so_nothing_is_shared_out():
    counter = MessageCounter(None, by_rows=True)
    assert counter.count([], Tally(counted_messages=12.4), 0.25, now=0.0) == 12


def test_what_nobody_counts_or_cannot_be_told_is_unknown():
    class Silent(CloudWatch):
        def count(self, endpoints, now: float) -> int:
            raise MessagesUnknown("CloudWatch is away")

    assert MessageCounter(None, by_rows=False).count([], Tally(), 1.0, 0.0) is None
    assert MessageCounter(Silent(0), by_rows=False).count([], Tally(), 1.0, 0.0) is None
