"""Who of an endpoint may be asked for a 200: the likeliest to live first."""

from __future__ import annotations

from collections import deque
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
        self._recent: deque[Row] = deque(maxlen=MANY_WITNESSES)
        self.note_alive = self._recent.append
        """Somebody has answered 200. It is done for each row, so it is the deque's own."""
        self._fresh: dict[str, Row] = {}
        self._newborn: dict[str, Row] = {}
        self._calls_in_vain = 0

    def begin_sweep(self) -> None:
        self._fresh, self._newborn = {}, {}
        self._calls_in_vain = 0

    def note_left_alone(self, fresh: Iterable[Row], newborn: Iterable[Row]) -> None:
        for kept, rows in ((self._fresh, fresh), (self._newborn, newborn)):
            for row in islice(rows, max(0, MAX_LEFT_ALONE - len(kept))):
                kept[row.connection_id] = row

    def forget(self, connection_id: str) -> None:
        for rows in (self._fresh, self._newborn):
            rows.pop(connection_id, None)
        self._forget_recent(connection_id)

    def note_witness(self, row: Row) -> None:
        """One that was called has answered 200. It is there once, and displaces nobody."""
        self._forget_recent(row.connection_id)
        self.note_alive(row)

    def _forget_recent(self, connection_id: str) -> None:
        if any(row.connection_id == connection_id for row in self._recent):
            others = [row for row in self._recent if row.connection_id != connection_id]
            self._recent.clear()
            self._recent.extend(others)

    @property
    def recent(self) -> dict[str, Row]:
        """By their ids, those who answered last at the end."""
        found: dict[str, Row] = {}
        for row in self._recent:
            found.pop(row.connection_id, None)
            found[row.connection_id] = row
        return found

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
        if not self._calls_in_vain and self._recent:
            return True
        return any(self._circles[self._calls_in_vain :])

    def called(self) -> list[Row]:
        """The likeliest to live; after each call that was in vain, others."""
        return self._circles[self._calls_in_vain]

    def found_alive(self, count: int) -> None:
        """So many of those that were called answered 200."""
        self._calls_in_vain = 0 if count else self._calls_in_vain + 1

    @property
    def _circles(self) -> list[list[Row]]:
        recent = list(self.recent.values())
        return [
            recent[-FEW_WITNESSES:],
            recent[:-FEW_WITNESSES],
            list(self._fresh.values()),
            list(self._newborn.values()),
        ]
