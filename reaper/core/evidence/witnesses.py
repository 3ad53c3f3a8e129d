"""Who of an endpoint may be asked for a 200: the likeliest to live first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from reaper.core.rows.row import Row

MAX_LEFT_ALONE = 100
"""Of the rows that were left alone, so many are remembered as possible witnesses."""

FEW_WITNESSES = 5
MANY_WITNESSES = 25
"""So many of those who answered 200 last are asked for another; many when the few do not."""


class Witnesses:
    """Those who answered 200 last, then fresh rows, then newborn ones."""

    def __init__(self) -> None:
        self._recent: dict[str, Row] = {}
        self._fresh: dict[str, Row] = {}
        self._newborn: dict[str, Row] = {}
        self._calls_in_vain = 0

    def begin_sweep(self) -> None:
        self._fresh, self._newborn = {}, {}
        self._calls_in_vain = 0

    def note_alive(self, row: Row) -> None:
        self._recent.pop(row.connection_id, None)
        self._recent[row.connection_id] = row
        if len(self._recent) > MANY_WITNESSES:
            del self._recent[next(iter(self._recent))]

    def note_left_alone(self, fresh: Iterable[Row], newborn: Iterable[Row]) -> None:
        for kept, rows in ((self._fresh, fresh), (self._newborn, newborn)):
            for row in islice(rows, max(0, MAX_LEFT_ALONE - len(kept))):
                kept[row.connection_id] = row

    def forget(self, connection_id: str) -> None:
        for rows in (self._recent, self._fresh, self._newborn):
            rows.pop(connection_id, None)

    @property
    def recent(self) -> dict[str, Row]:
        return self._recent

    @property
    def fresh(self) -> dict[str, Row]:
        return self._fresh

    def take_fresh(self) -> list[Row]:
        """All of them, each once in a sweep."""
        fresh, self._fresh = list(self._fresh.values()), {}
        return fresh

    @property
    def are_left(self) -> bool:
        """Whether there is anybody who was not called in vain."""
        recent = len(self._recent)
        circles = recent, recent > FEW_WITNESSES, self._fresh, self._newborn
        return any(circles[self._calls_in_vain :])

    def called(self) -> list[Row]:
        """The likeliest to live; after each call that was in vain, others."""
        return self._circles[self._calls_in_vain]

    def found_alive(self, count: int) -> None:
        """So many of those that were called answered 200."""
        self._calls_in_vain = 0 if count else self._calls_in_vain + 1

    @property
    def _circles(self) -> list[list[Row]]:
        recent = list(self._recent.values())
        return [
            recent[-FEW_WITNESSES:],
            recent[:-FEW_WITNESSES],
            list(self._fresh.values()),
            list(self._newborn.values()),
        ]
