"""The cases of one sweep: suspects, with the rows that hold their ids, and where each case is."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from reaper.core.evidence.evidence_rule import Suspect
from reaper.core.model import Probe
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row, opened_at

MAX_CASES = 20_000
"""Suspects whose rows are held in memory. The rows of more are found again by the next sweep."""

_Key = tuple[Endpoint, str]
"""An id, and whose."""


class Place(Enum):
    """Where a case is."""

    ASKED = "asked"
    """Its answer is awaited."""
    LATER = "later"
    """It is looked at again at some moment."""
    BLOCKED = "blocked"
    """It waits for witnesses, or for a panel."""
    WAITING = "waiting"
    """It waits for its endpoint to become trustworthy."""
    CONVICTED = "convicted"
    """It waits for its rows to be evicted, and may still be acquitted."""


@dataclass(slots=True, eq=False)
class Case:
    """A suspect of this sweep, with the rows that hold its id."""

    endpoint: Endpoint
    connection_id: str
    rows: list[Row]
    suspect: Suspect
    place: Place = Place.ASKED
    is_looked_at: bool = False
    """Whether it was asked again in this sweep."""
    opened_at: float | None = field(init=False)
    """When its connection was opened, by its rows. It bears on every decision."""

    def __post_init__(self) -> None:
        self.opened_at = opened_at(self.rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Another page has brought others that hold its id."""
        self.rows.extend(rows)
        self.opened_at = opened_at(self.rows)

    @property
    def key(self) -> _Key:
        return self.endpoint, self.connection_id


class Cases:
    """Owns the open cases. Moments are of the clock that never goes back."""

    def __init__(self) -> None:
        self._open: dict[_Key, Case] = {}
        self._later: list[tuple[float, int, Case]] = []
        self._order = itertools.count()

    @property
    def has_room(self) -> bool:
        return len(self._open) < MAX_CASES

    @property
    def rows(self) -> int:
        """Of all open cases."""
        return sum(len(case.rows) for case in self._open.values())

    def of(self, probe: Probe) -> Case | None:
        return self._open.get((probe.endpoint, probe.connection_id))

    def open(self, case: Case) -> None:
        self._open[case.key] = case

    def close(self, case: Case) -> None:
        del self._open[case.key]

    def ask(self, case: Case) -> None:
        """It is looked at again, now."""
        case.place, case.is_looked_at = Place.ASKED, True

    def block(self, case: Case) -> None:
        """It goes on when witnesses, or a panel, have answered."""
        case.place = Place.BLOCKED

    def leave_waiting(self, case: Case) -> None:
        """It goes on when its endpoint becomes trustworthy."""
        case.place = Place.WAITING

    def convict(self, case: Case) -> None:
        """It ends when its rows are taken to be evicted."""
        case.place = Place.CONVICTED

    def is_at(self, case: Case, place: Place) -> bool:
        """Whether it is there, and has not been closed."""
        return case.place is place and self._open.get(case.key) is case

    def postpone(self, case: Case, until: float) -> None:
        case.place = Place.LATER
        heapq.heappush(self._later, (until, next(self._order), case))

    def take_due(self, now: float) -> list[Case]:
        """Those whose moment has come, without those that are postponed no more."""
        due = []
        while self._later:
            is_postponed = self.is_at(self._later[0][2], Place.LATER)
            if is_postponed and self._later[0][0] > now:
                break
            case = heapq.heappop(self._later)[2]
            if is_postponed:
                due.append(case)
        return due

    @property
    def next_at(self) -> float:
        """When the next one's moment comes; for ever where none is postponed."""
        return self._later[0][0] if self._later else inf

    def at(self, place: Place, endpoint: Endpoint | None = None) -> list[Case]:
        """Those at a place; of one endpoint, or of all."""
        return [
            case
            for case in self._open.values()
            if case.place is place and endpoint in (None, case.endpoint)
        ]
