"""What a process knows of one endpoint: its word so far, and who may be asked to test it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf

from reaper.core.breaker import NOBODY, BreakerLimits, Counts, Findings, Harvest, hold_of, is_slow
from reaper.core.evidence import MAX_PANEL, Standing
from reaper.core.ids import is_of_one_case
from reaper.core.model import Row

MAX_DRAW = 200
"""Of those who answered 200 in a sweep, a sample of at most so many is remembered, dead since or
not: from them panels are drawn."""

MAX_LEFT_ALONE = 100
"""Of the rows that were left alone, so many are remembered as possible witnesses."""

FEW_WITNESSES = 5
MANY_WITNESSES = 25
"""So many of those who answered 200 last are asked for another; many when the few do not."""


class Sample:
    """Rows spread evenly over all that were added: every second, fourth, eighth of them."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._every = 1
        self._passed_over = 0

    def add(self, row: Row) -> None:
        self._passed_over += 1
        if self._passed_over < self._every:
            return
        self._passed_over = 0
        self.rows[row.connection_id] = row
        if len(self.rows) > MAX_DRAW:
            self.rows = dict(islice(self.rows.items(), 0, None, 2))
            self._every *= 2


class EndpointState:
    """One endpoint. Its counts are those of the running sweep; what else it holds outlives that."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.is_asked = False
        """Whether there is a question to it; the rows of some endpoints are all left alone."""
        self.sweeps_unmet = 0
        """In how many sweeps of late no row was of it."""
        self._last_harvest = NOBODY
        self._voids = 0
        self._alive_at = -inf
        self._alive = Sample()
        self._alive_before: dict[str, Row] = {}
        self._dead_since: dict[str, Row] = {}
        self._recent: dict[str, Row] = {}
        self._fresh: dict[str, Row] = {}
        self._newborn: dict[str, Row] = {}
        self._panel: Harvest | None = None
        self._panel_at = -inf
        self._calls_in_vain = 0
        self._is_shared_table = False

    # The sweeps

    def begin_sweep(self) -> None:
        self.counts = Counts()
        self.is_asked = False
        self._alive = Sample()
        self._fresh, self._newborn = {}, {}
        self._panel, self._panel_at = None, -inf
        self._calls_in_vain = 0

    def end_sweep(self, *, is_of_table: bool) -> None:
        """A sweep is over in which every row had its turn; a harvest is that of a whole table."""
        if self.counts.harvest.answered:
            self._renew_draw()
            self._last_harvest = self.counts.harvest if is_of_table else NOBODY

    def _renew_draw(self) -> None:
        """Those who were found alive take the place of those from whom panels were drawn.

        Who has died since is kept until its row goes. Where there are too many for that, a draw is
        only renewed if most of it still lives: else a lie would be forgotten by the next sweep.
        """
        dead, alive, before = self._dead_since, self._alive.rows, self._alive_before
        if len(dead) + len(alive) <= MAX_DRAW:
            self._alive_before = {**dead, **alive}
        elif len(dead) * 2 < len(before):
            self._alive_before = alive
        self._dead_since = {}

    # What its rows and its answers say

    def note_ids(self, connection_ids: Iterable[str]) -> None:
        """Ids on a host of API Gateway's own, which are of mixed case."""
        for one in connection_ids:
            self.counts.ids += 1
            self.counts.ids_of_one_case += is_of_one_case(one)

    def answered_200(self, row: Row, sent_at: float) -> None:
        """Another id than the suspects' is alive."""
        self._alive_at = max(self._alive_at, sent_at)
        self._alive.add(row)
        self._dead_since.pop(row.connection_id, None)
        recent = self._recent
        recent.pop(row.connection_id, None)
        recent[row.connection_id] = row
        if len(recent) > MANY_WITNESSES:
            del recent[next(iter(recent))]

    def answered_410(self, connection_id: str) -> None:
        if connection_id in self._alive_before:
            self._dead_since[connection_id] = self._alive_before[connection_id]

    def contradict(self) -> None:
        """It has said 200 of somebody after 410s that cannot have been true."""
        self._voids += 1

    def found_shared(self, *, is_shared: bool) -> None:
        self._is_shared_table = is_shared

    # Who may be asked

    def leave_alone(self, fresh: Sequence[Row], newborn: Sequence[Row]) -> None:
        """Rows that nobody asks after; a few are remembered as possible witnesses."""
        self.counts.left_fresh += len(fresh)
        for kept, rows in ((self._fresh, fresh), (self._newborn, newborn)):
            for row in islice(rows, max(0, MAX_LEFT_ALONE - len(kept))):
                kept[row.connection_id] = row

    @property
    def may_weigh(self) -> bool:
        """Whether fresh rows may still show that most of the table lives."""
        return bool(self._fresh)

    @property
    def may_call_witnesses(self) -> bool:
        return any(self._circles[self._calls_in_vain :])

    def take_fresh(self) -> list[Row]:
        """Fresh rows to be weighed, each once in a sweep."""
        fresh, self._fresh = list(self._fresh.values()), {}
        return fresh

    def take_witnesses(self) -> list[Row]:
        """The likeliest to live; after each call that was in vain others."""
        return self._circles[self._calls_in_vain]

    @property
    def _circles(self) -> list[list[Row]]:
        recent = list(self._recent.values())
        return [
            recent[-FEW_WITNESSES:],
            recent[:-FEW_WITNESSES],
            list(self._fresh.values()),
            list(self._newborn.values()),
        ]

    def found_witnesses(self, alive: int) -> None:
        """So many of those that were called answered 200."""
        self._calls_in_vain = 0 if alive else self._calls_in_vain + 1

    def weigh(self, *, is_alive: bool) -> None:
        """One of a sample of the fresh rows has answered."""
        self.counts.weighed += 1
        self.counts.weighed_alive += is_alive

    @property
    def can_seat_panel(self) -> bool:
        """Whether a whole one can be drawn, or one from the last whole sweep."""
        return bool(self._alive_before) or len(self._alive.rows) >= MAX_PANEL

    def draw(self) -> list[Row]:
        """Those from whom a panel is drawn: fresh, or alive of late, dead by now or not.

        Alive before this sweep, where there was one: a lie that began since shows in them as it is,
        while those who are found alive meanwhile are the ones that it spares.
        """
        alive = self._alive_before or self._alive.rows
        return list(({**self._fresh, **alive} or self._recent).values())

    def forget(self, connection_id: str) -> None:
        """Its row is gone, so that it answers 410 says nothing any more."""
        for rows in (
            self._recent,
            self._alive.rows,
            self._alive_before,
            self._dead_since,
            self._fresh,
            self._newborn,
        ):
            rows.pop(connection_id, None)

    def found_panel(self, panel: Harvest, now: float) -> None:
        self._panel, self._panel_at = panel, now

    # What follows

    @property
    def findings(self) -> Findings:
        return Findings(self.counts, self._last_harvest, self._panel, self._is_shared_table)

    def standing(self, limits: BreakerLimits) -> Standing:
        findings = self.findings
        return Standing(
            voids=self._voids,
            alive_at=self._alive_at,
            is_held=hold_of(findings, limits) is not None,
            is_slow=is_slow(findings, limits),
            may_call_witnesses=self.may_call_witnesses,
            may_weigh=self.may_weigh,
            panel_at=self._panel_at,
            is_trusted=limits.trust_endpoint,
        )
