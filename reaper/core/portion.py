"""The part of a table that one sweep is about: all of it, or some segments of a parallel scan.

DynamoDB places rows by a hash of their partition key, and a segment is a range of hashes. So the
rows of a segment are a random sample of the table, and what holds for the table holds for it: one
row that answers 200 proves the endpoint, and the fraction of zombies is that of the table. Evidence
is therefore judged by the portion, without a word between workers.

Rows that share a partition key are the exception: they are all in one segment, and are judged by
each other alone. That is no less safe, but such a segment is no sample: it may be held where the
table as a whole would not be, or the other way round, as its rows deserve by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Portion(Protocol):
    """Some segments of a table, which may become more while they are being swept."""

    @property
    def of(self) -> int:
        """How many segments the whole table has."""

    @property
    def started_at(self) -> float:
        """When the sweep of the whole table began, in epoch seconds."""

    @property
    def segments(self) -> tuple[int, ...]:
        """Those that belong to it so far."""

    @property
    def is_all_here(self) -> bool:
        """Whether no more will come."""

    @property
    def is_lost(self) -> bool:
        """Whether it may belong to somebody else by now."""


@dataclass(frozen=True, slots=True)
class WholeTable:
    """All segments, from the beginning to the end."""

    of: int
    started_at: float
    is_all_here: bool = True
    is_lost: bool = False

    @property
    def segments(self) -> tuple[int, ...]:
        return tuple(range(self.of))


def share_of(portion: Portion) -> float:
    """The part of the table, and of everything that is rationed by the table, from 0 to 1."""
    return len(portion.segments) / portion.of
