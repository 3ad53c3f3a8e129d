"""The part of a table that one sweep is about: all of it, or some segments of a parallel scan.

DynamoDB places rows by a hash of their partition key, and a segment is a range of hashes. So the
rows of a segment are a random sample of the table, and what holds for the table holds for it: one
row that answers 200 proves the endpoint, and the fraction of zombies is that of the table. Evidence
therefore holds for the portion, and workers need not exchange any.

Rows that share a partition key are the exception: they are all in one segment, whose evidence is
theirs alone. That is no less safe, but such a segment is no sample: it may be held where the table
as a whole would not be, or the other way round, as its rows deserve by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class Portion(Protocol):
    """Some segments of a table, which may become more while they are being swept."""

    @property
    def total_segments(self) -> int:
        """How many segments the whole table has."""

    @property
    def started_at(self) -> float:
        """When the sweep of the whole table began, in epoch seconds."""

    @property
    def segments(self) -> tuple[int, ...]:
        """Those that belong to it so far."""

    @property
    def is_all_here(self) -> bool:
        """Whether none is about to come."""

    @property
    def is_lost(self) -> bool:
        """Whether it may belong to somebody else by now."""

    def close(self) -> None:
        """From now on none is added."""


@dataclass(frozen=True)
class WholeTable:
    """All segments, from the beginning to the end."""

    total_segments: int
    started_at: float
    is_all_here: bool = True
    is_lost: bool = False

    @cached_property
    def segments(self) -> tuple[int, ...]:
        return tuple(range(self.total_segments))

    def close(self) -> None:
        """Nothing is ever added."""


def share_of(portion: Portion) -> float:
    """The part of the table, and of everything that is rationed by the table, from 0 to 1."""
    return len(portion.segments) / portion.total_segments


class Extrapolation:
    """What a worker's own portions of a sweep let it expect of the whole table."""

    def __init__(self) -> None:
        self._sweep: float | None = None
        self._amount = self._share = 0.0
        self._before = 0.0

    def add(self, sweep: float, amount: float, share: float) -> None:
        """So much came of that share of the sweep which began then."""
        if sweep != self._sweep:
            self._before += self.of_sweep or 0.0
            self._sweep, self._amount, self._share = sweep, 0.0, 0.0
        self._amount += amount
        self._share += share

    @property
    def of_sweep(self) -> float | None:
        """Of the whole table, in the last sweep that there was something of."""
        return self._amount / self._share if self._share else None

    def total_with(self, sweep: float, amount: float, share: float) -> float:
        """Of the whole table, in all sweeps, if so much more came of that share of this one."""
        if sweep != self._sweep:
            return self._before + (self.of_sweep or 0.0) + amount / share
        return self._before + (self._amount + amount) / (self._share + share)

    @property
    def total(self) -> float:
        return self._before + (self.of_sweep or 0.0)
