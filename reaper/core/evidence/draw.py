"""From whom a panel is drawn: those of an endpoint who were alive, dead since or not."""

from __future__ import annotations

from itertools import islice

from reaper.core.evidence.evidence_rule import MAX_PANEL
from reaper.core.rows.row import Row

MAX_DRAW = 200
"""Of those who answered 200 in a sweep, a sample of at most so many is remembered."""


class Sample:
    """Rows spread evenly over all that were added: every second, fourth, eighth of them."""

    def __init__(self, max_rows: int) -> None:
        self.rows: dict[str, Row] = {}
        self._max_rows = max_rows
        self._every = 1
        self._passed_over = 0

    def add(self, row: Row) -> None:
        self._passed_over += 1
        if self._passed_over < self._every:
            return
        self._passed_over = 0
        self.rows[row.connection_id] = row
        if len(self.rows) > self._max_rows:
            self.rows = dict(islice(self.rows.items(), 0, None, 2))
            self._every *= 2


class Draw:
    """Who was alive before this sweep, and who is found alive in it."""

    def __init__(self, max_rows: int = MAX_DRAW) -> None:
        self._max_rows = max_rows
        self._alive = Sample(max_rows)
        self._alive_before: dict[str, Row] = {}
        self._dead_since: dict[str, Row] = {}

    def begin_sweep(self) -> None:
        self._alive = Sample(self._max_rows)

    def end_sweep(self) -> None:
        """Those who were found alive take the place of those who were drawn from.

        Who has died since is kept until its row goes. Where there are too many for that, a draw is
        only renewed if most of it still lives: else a lie would be forgotten by the next sweep.
        """
        dead, alive, before = self._dead_since, self._alive.rows, self._alive_before
        if len(dead) + len(alive) <= self._max_rows:
            self._alive_before = {**dead, **alive}
        elif len(dead) * 2 < len(before):
            self._alive_before = alive
        self._dead_since = {}

    def note_alive(self, row: Row) -> None:
        self._alive.add(row)
        if self._dead_since:
            self._dead_since.pop(row.connection_id, None)

    def note_dead(self, connection_id: str) -> None:
        if connection_id in self._alive_before:
            self._dead_since[connection_id] = self._alive_before[connection_id]

    def forget(self, connection_id: str) -> None:
        """Its row is gone, so that it answers 410 says nothing any more."""
        for rows in (self._alive.rows, self._alive_before, self._dead_since):
            rows.pop(connection_id, None)

    @property
    def is_large(self) -> bool:
        """Whether a whole panel can be drawn, or one from the last whole sweep."""
        return bool(self._alive_before) or len(self._alive.rows) >= MAX_PANEL

    @property
    def rows(self) -> dict[str, Row]:
        """Those alive before this sweep, where there was one.

        A lie that began since shows in them as it is, while those who are found alive meanwhile are
        the ones that it spares.
        """
        return self._alive_before or self._alive.rows
