"""Messages are counted for as much of the table as a sweep is about."""

from __future__ import annotations

import pytest

from reaper.core.errors import MessagesUnknown
from reaper.core.portion import WholeTable
from reaper.core.report.tally import Tally
from reaper.sweep.messages import MessageCounter
from tests.support.portions import Some


class CloudWatch:
    """All POSTs and messages of an API, less the POSTs that it was told of."""

    def __init__(self, counted: int) -> None:
        self.counted = counted
        self.known = 0.0
        self.noted: list[float] = []

    def note_heartbeats(self, total: float, at: float) -> None:
        self.known = total
        self.noted.append(round(total))

    def count(self, endpoints, now: float) -> int:
        return max(0, round(self.counted - self.known))


def sweep(counter: MessageCounter, portion, heartbeats: int) -> int | None:
    tally = Tally(heartbeats=heartbeats)
    counter.note(tally, portion, now=0.0)
    counter.sweep_over(tally, portion)
    return counter.count([], tally, portion, now=0.0)


def test_the_messages_of_workers_who_share_a_sweep_add_up():
    """400 heartbeats and 1,000 messages; each worker knows its own heartbeats only."""
    parts = {(0, 1, 2, 3): 100, (4, 5, 6, 7, 8, 9, 10, 11): 200, (12, 13): 50, (14, 15): 50}
    counts = []
    for segments, heartbeats in parts.items():
        counter = MessageCounter(CloudWatch(1_400), by_rows=False)
        counts.append(sweep(counter, Some(segments), heartbeats))
    assert sum(counts) == pytest.approx(1_000, abs=4)


def test_two_portions_of_one_sweep_are_one_estimate():
    """Of 400 heartbeats in all: 200 of the first half, 25 of one more sixteenth."""
    source = CloudWatch(1_400)
    counter = MessageCounter(source, by_rows=False)
    sweep(counter, Some(tuple(range(8))), 200)
    sweep(counter, Some((8,)), 25)
    assert source.known == pytest.approx(400)
    sweep(counter, Some((3,), started_at=300.0), 25)
    assert source.known == pytest.approx(800)
    assert source.noted == [400, 400, 400, 400, 800, 800], "while they go on, and after"


def test_a_worker_by_itself_takes_off_just_what_it_sent():
    counter = MessageCounter(CloudWatch(1_400), by_rows=False)
    for started_at, heartbeats in ((0.0, 100), (300.0, 150)):
        left = sweep(counter, WholeTable(4, started_at), heartbeats)
    assert left == 1_150


def test_rows_are_counted_where_they_are_swept_so_nothing_is_shared_out():
    counter = MessageCounter(None, by_rows=True)
    assert counter.count([], Tally(counted_messages=12.4), Some((0,)), now=0.0) == 12


def test_what_nobody_counts_or_cannot_be_told_is_unknown():
    class Silent(CloudWatch):
        def count(self, endpoints, now: float) -> int:
            raise MessagesUnknown("CloudWatch is away")

    whole = WholeTable(4, 0.0)
    assert MessageCounter(None, by_rows=False).count([], Tally(), whole, 0.0) is None
    assert MessageCounter(Silent(0), by_rows=False).count([], Tally(), whole, 0.0) is None
