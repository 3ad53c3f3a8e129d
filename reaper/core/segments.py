"""A sweep that many workers share: its segments as messages on a queue.

The queue is first in, first out by group, hands out one message of a group at a time, and drops a
message that it was given within the last five minutes. With the segment for a group, and sweep and
segment for the identity, any number of workers may enqueue the same sweep and nobody has to lead;
and a segment is swept by one of them at a time.

So a segment is also a seat: it carries its part of everything that is rationed by the table. As no
two workers ever have the same segment, their rates add up to the budget at most, however many they
are and whoever comes, goes or dies.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from reaper.core.platform import DEDUPLICATION_SECONDS

ENQUEUE_WITHIN_SECONDS = DEDUPLICATION_SECONDS - 60
"""After its beginning a sweep may be put on the queue for so long at most: surely while SQS knows
its messages again, counted from the first worker's, whatever the clocks of the others say."""

ENQUEUE_WITHIN_FRACTION = 0.5
"""And in this part of the interval. Later the next one is near, and the time too short for this."""


class NoSegment(Exception):
    """A message that is no segment of this table. Says what it is instead."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the ``total_segments`` of a parallel scan, in one sweep of a table."""

    table: str
    sweep: int
    """Sweeps are numbered by their interval, from the beginning of the epoch on."""
    interval_seconds: float
    index: int
    total_segments: int

    @property
    def group(self) -> str:
        return str(self.index)

    @property
    def identity(self) -> str:
        return f"{self.sweep}-{self.interval_seconds:g}-{self.index}-{self.total_segments}"

    @property
    def begins_at(self) -> float:
        """Epoch seconds."""
        return self.sweep * self.interval_seconds

    @property
    def ends_at(self) -> float:
        return self.begins_at + self.interval_seconds

    def is_of_sweep(self, other: Segment) -> bool:
        return (self.sweep, self.interval_seconds, self.total_segments) == (
            other.sweep,
            other.interval_seconds,
            other.total_segments,
        )

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_table(cls, text: str, table: str) -> Segment:
        """Read a message that should be about a segment of this table. Raises NoSegment."""
        try:
            found = cls(**json.loads(text))
            is_sound = isinstance(found.table, str) and found.ends_at > found.begins_at >= 0
            is_sound = is_sound and 0 <= found.index < found.total_segments
        except (ValueError, TypeError):
            is_sound = False
        if not is_sound:
            raise NoSegment("it is not of the reaper's making")
        if found.table != table:
            raise NoSegment(f"it is about table {found.table}, which needs a queue of its own")
        return found


def sweep_at(now: float, interval_seconds: float) -> int:
    """Which sweep goes on at this epoch second: the same for all workers, by their clocks."""
    return int(now // interval_seconds)


def may_be_enqueued(sweep: int, now: float, interval_seconds: float) -> bool:
    """Whether it is early enough to put it on the queue."""
    age_seconds = now - sweep * interval_seconds
    return age_seconds < min(ENQUEUE_WITHIN_SECONDS, ENQUEUE_WITHIN_FRACTION * interval_seconds)


def segments_of_sweep(
    table: str, sweep: int, interval_seconds: float, total_segments: int
) -> list[Segment]:
    """All that has to be done in a sweep."""
    return [
        Segment(table, sweep, interval_seconds, index, total_segments)
        for index in range(total_segments)
    ]
