"""When the rows of a table were born, by their own time, to be held against an API's connects.

Each row is born of one ``$connect``. Where an API had fewer of them than rows were born in the same
minutes, another API writes into the table, whose rows look gone to this one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row

MINUTE_SECONDS = 60

WINDOW_MINUTES = 120
"""As long as a socket may live; older rows are rare, and CloudWatch is asked for less."""

SETTLING_MINUTES = 5
"""The newest minutes are left out: CloudWatch's counts still grow."""

MARGIN_MINUTES = 3
"""So much earlier and later connects are counted too: clocks differ, and a ``$connect`` lasts."""


class Window(NamedTuple):
    """Whole minutes since the epoch, the last one not included."""

    first: int
    end: int

    @classmethod
    def before(cls, now: float) -> Window:
        end = int(now // MINUTE_SECONDS) - SETTLING_MINUTES
        return cls(end - WINDOW_MINUTES, end)

    @property
    def seconds(self) -> tuple[float, float]:
        """From when to when connects are counted, in epoch seconds."""
        first, end = self.first - MARGIN_MINUTES, self.end + MARGIN_MINUTES
        return float(first * MINUTE_SECONDS), float(end * MINUTE_SECONDS)


class Births:
    def __init__(self, now: float) -> None:
        self.window = Window.before(now)
        self._born: defaultdict[Endpoint, Counter[int]] = defaultdict(Counter)

    def note(self, rows: Iterable[Row]) -> None:
        first, end = self.window
        for row in rows:
            if row.endpoint is not None and row.connected_at is not None:
                minute = int(row.connected_at // MINUTE_SECONDS)
                if first <= minute < end:
                    self._born[row.endpoint][minute] += 1

    def of(self, endpoint: Endpoint) -> int:
        """Rows of this endpoint that were born in the window and are still there."""
        return self._born[endpoint].total()
