"""A sweep that many workers share: its segments as messages on a queue.

The queue is first in, first out by group, hands out one message of a group at a time, and drops a
message that it was given within the last five minutes. With table, settings and segment for a
group, and the sweep besides for the identity, any number of workers that are alike may enqueue the
same sweep and nobody has to lead; and a segment is swept by one of them at a time.

So a segment is also a seat: it carries its part of everything that is rationed by the table. As no
two workers ever have the same segment, their rates add up to the budget at most, however many they
are and whoever comes, goes or dies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256

from reaper.core.platform import DEDUPLICATION_SECONDS, MAX_SEGMENTS

ENQUEUE_WITHIN_SECONDS = DEDUPLICATION_SECONDS - 60
"""After its beginning a sweep may be put on the queue for so long at most: surely while SQS knows
its messages again, counted from the first worker's, whatever the clocks of the others say."""

ENQUEUE_WITHIN_FRACTION = 0.5
"""And in this part of the interval. Later the next one is near, and the time too short for this;
but where the queue was out of reach before, a late sweep at the budget beats none."""


class NoSegment(Exception):
    """A message that is no segment of this table. Says what it is instead."""


class ForeignSegment(NoSegment):
    """It is one of another table, or of workers with other settings, who will take it."""

    def __init__(self, what: str, differing: Sequence[str] = ()) -> None:
        """``differing`` are the variables, where the table is the same."""
        super().__init__(what)
        self.differing = tuple(differing)


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the ``total_segments`` of a parallel scan, in one sweep of a table."""

    table: str
    """As ``shared_name`` has it."""
    sweep: int
    """Sweeps are numbered by their interval, from the beginning of the epoch on."""
    interval_seconds: float
    index: int
    total_segments: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """What a worker needs to have in common with who enqueued it: digests, by variable."""

    @property
    def group(self) -> str:
        return f"{self._work_digest}-{self.index}"

    @property
    def identity(self) -> str:
        return (
            f"{self._work_digest}-{self.sweep}-{self.interval_seconds:g}-{self.index}"
            f"-{self.total_segments}"
        )

    @property
    def _work_digest(self) -> str:
        """SQS allows 128 characters of few kinds, and a table's name alone may have 255."""
        work = json.dumps([self.table, sorted(self.settings.items())])
        return sha256(work.encode()).hexdigest()[:16]

    @property
    def begins_at(self) -> float:
        """Epoch seconds."""
        return self.sweep * self.interval_seconds

    @property
    def ends_at(self) -> float:
        return self.begins_at + self.interval_seconds

    def is_of_sweep(self, other: Segment) -> bool:
        return replace(self, index=other.index) == other

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_table(cls, text: str, table: str, settings: Mapping[str, str] | None = None) -> Segment:
        """Read a message that should be about a segment of this table, to be swept by these
        settings. Raises NoSegment.
        """
        try:
            found = cls(**json.loads(text))
            is_sound = found._is_sound
        except (ValueError, TypeError):
            is_sound = False
        if not is_sound:
            raise NoSegment("it is not of the reaper's making")
        if found.table != table:
            raise ForeignSegment(f"it is about table {found.table}, which needs a queue of its own")
        if differing := _differing(found.settings, settings or {}):
            what = f"it is of workers with other settings: {', '.join(differing)}"
            raise ForeignSegment(what, differing)
        return found

    @property
    def _is_sound(self) -> bool:
        """Whether it can be what some worker has put there. JSON's true and 2.5 are no counts."""
        counts = (self.sweep, self.index, self.total_segments)
        if not isinstance(self.table, str) or any(type(one) is not int for one in counts):
            return False
        if not isinstance(self.settings, dict):
            return False
        if not all(isinstance(one, str) for one in self.settings.values()):
            return False
        is_interval = type(self.interval_seconds) in (int, float)
        is_interval = is_interval and self.ends_at > self.begins_at >= 0
        return is_interval and 0 <= self.index < self.total_segments <= MAX_SEGMENTS


def shared_name(region: str, table: str) -> str:
    """What tells a table from all others on a queue, which can be reached from every Region."""
    return f"{region}/{table}"


def sweep_at(now: float, interval_seconds: float) -> int:
    """Which sweep goes on at this epoch second: the same for all workers, by their clocks."""
    return int(now // interval_seconds)


def may_be_enqueued(
    sweep: int, now: float, interval_seconds: float, *, was_tried: bool = False
) -> bool:
    """Whether it is early enough to put it on the queue."""
    age_seconds = now - sweep * interval_seconds
    fraction = 1.0 if was_tried else ENQUEUE_WITHIN_FRACTION
    return age_seconds < min(ENQUEUE_WITHIN_SECONDS, fraction * interval_seconds)


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def segments_of_sweep(
    table: str,
    sweep: int,
    interval_seconds: float,
    total_segments: int,
    settings: Mapping[str, str] | None = None,
) -> list[Segment]:
    """All that has to be done in a sweep."""
    return [
        Segment(table, sweep, interval_seconds, index, total_segments, settings or {})
        for index in range(total_segments)
    ]
