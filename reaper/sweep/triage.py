"""Triage: pages of the table are read into rows and sorted, and who is due is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.core.triage import RowKind, triage
from reaper.sweep.context import SweepContext
from reaper.sweep.evidence.shared_table import SharedTable
from reaper.sweep.pongs import Pongs
from reaper.sweep.ports import Scan
from reaper.sweep.prober import Prober
from reaper.sweep.probes import Probes

MAX_BACKLOG = 500
"""Due rows that may wait for the pace before another page is taken from the scan."""

MAX_PONGS_AWAITED = 10_000
"""Clients whose pong is awaited, held in memory."""


class Triage:
    """Takes pages as fast as their rows are asked after, and no faster."""

    def __init__(
        self,
        context: SweepContext,
        reader: RowReader,
        scan: Scan,
        prober: Prober,
        probes: Probes,
        pongs: Pongs,
        shared_table: SharedTable,
    ) -> None:
        self._context = context
        self._tally = context.tally
        self._memory = context.memory
        self._wall_clock = context.wall_clock
        self._reader = reader
        self._scan = scan
        self._prober = prober
        self._probes = probes
        self._pongs = pongs
        self._shared_table = shared_table

    @property
    def is_full(self) -> bool:
        """Whether no more rows should be taken, for the sake of memory."""
        return self._pongs.awaited >= MAX_PONGS_AWAITED

    def take_page(self) -> bool:
        """Take a page if the prober keeps up. False when there was none to take."""
        if self.is_full or self._prober.backlog >= MAX_BACKLOG or self._scan.exhausted:
            return False
        page = self._scan.next_page(0.02 if self._prober.idle else 0)
        if page is None:
            return False
        items = page.items()
        rows = self._reader.read_page(items, self._wall_clock())
        self._tally.pass_over(len(items) - len(rows))
        self._triage(rows)
        return True

    def _triage(self, rows: Iterable[Row]) -> None:
        now = self._wall_clock()
        cutoffs = self._context.cutoffs()
        sorted_rows: defaultdict[RowKind, list[Row]] = defaultdict(list)
        for row in rows:
            kind = triage(row, cutoffs)
            if kind is RowKind.NEWBORN and not self._memory.may_be_newborn(row):
                kind = RowKind.DUE
            sorted_rows[kind].append(row)
        self._tally.count_triage(sorted_rows)
        fresh, newborn = sorted_rows[RowKind.FRESH], sorted_rows[RowKind.NEWBORN]
        self._tally.count_messages([*newborn, *fresh], now)
        self._pongs.hear_of([*newborn, *fresh])
        due = [*sorted_rows[RowKind.DUE], *sorted_rows[RowKind.EXPIRED]]
        self._shared_table.note([*newborn, *fresh, *due])
        self._note(fresh, newborn, due)
        self._ask(due)

    def _note(self, fresh: list[Row], newborn: list[Row], due: list[Row]) -> None:
        """What rows tell of their endpoints."""
        for kind in (fresh, newborn, due):
            for endpoint, rows in groupby(kind, key=attrgetter("endpoint")):
                assert endpoint is not None, "foreign rows are left out"
                own, state = list(rows), self._memory.meet(endpoint)
                if kind is fresh:
                    state.leave_alone(own, ())
                elif kind is newborn:
                    state.leave_alone((), own)
                else:
                    state.expect_answers()
                if endpoint.is_execute_api:
                    state.note_ids([row.connection_id for row in own])

    def _ask(self, rows: Iterable[Row]) -> None:
        """Once for all rows of a page that hold the same id."""
        due: dict[tuple[Endpoint, str], list[Row]] = {}
        for row in rows:
            assert row.endpoint is not None
            due.setdefault((row.endpoint, row.connection_id), []).append(row)
        for (endpoint, connection_id), same in due.items():
            self._probes.ask_due(endpoint, connection_id, same)
