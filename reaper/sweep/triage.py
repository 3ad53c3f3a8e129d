"""Triage: pages of the table are read into rows and sorted, and who is due is asked."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import Item
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.core.triage import RowKind, triage
from reaper.sweep.context import SweepContext
from reaper.sweep.evidence.shared_table import SharedTable
from reaper.sweep.pongs import Pongs
from reaper.sweep.ports import Scan
from reaper.sweep.prober import Prober
from reaper.sweep.probes import Probes

SLICE_ROWS = 200
"""So many rows are read at a time, or asked after: some 2 ms of work, after which it is the
prober's turn."""

MAX_BACKLOG = 500
"""Probes that may wait for the pace before more are made, and before another page is read."""

READ_AHEAD_SECONDS = 0.25
"""At high rates so much more is read ahead: about what reading a page takes."""

MAX_IDS_TOGETHER = 2000
"""Of a page, which holds more only where its rows have many members."""

MAX_PONGS_AWAITED = 10_000
"""Clients whose pong is awaited, held in memory."""


class Triage:
    """Reads pages as fast as their rows are asked after, and no faster. Each id of a page is asked
    once, for all of its rows there.
    """

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
        self._unread: deque[Item] = deque()
        """What is left of the page that is being read."""
        self._due_of_page: dict[tuple[Endpoint, str], list[Row]] = {}
        self._waiting: deque[tuple[tuple[Endpoint, str], list[Row]]] = deque()
        """Ids of pages that were read, with their rows."""

    @property
    def has_more(self) -> bool:
        """Whether there are rows that have not been asked after yet."""
        return bool(self._unread or self._waiting) or not self._scan.exhausted

    @property
    def is_full(self) -> bool:
        """Whether no more rows should be taken, for the sake of memory."""
        return self._pongs.awaited >= MAX_PONGS_AWAITED or self._probes.is_full

    def advance(self) -> bool:
        """Read and ask a little more, if the prober keeps up. Whether there was anything to do."""
        if self.is_full:
            return False
        has_asked = self._ask_some()
        return self._read_some() or has_asked

    def _ask_some(self) -> bool:
        if not self._waiting or self._prober.backlog >= MAX_BACKLOG:
            return False
        for _ in range(min(SLICE_ROWS, len(self._waiting))):
            (endpoint, connection_id), rows = self._waiting.popleft()
            self._probes.ask_due(endpoint, connection_id, rows)
        return True

    def _read_some(self) -> bool:
        if self._is_far_ahead or not (self._unread or self._take_page()):
            return False
        # Where nobody is to be asked, nobody is kept waiting by a whole page.
        some = len(self._unread) if self._prober.idle else min(SLICE_ROWS, len(self._unread))
        items = [self._unread.popleft() for _ in range(some)]
        now = self._wall_clock()
        found = [self._reader.read(item, now) for item in items]
        self._tally.pass_over(found.count(None))
        self._triage([row for rows in found if rows for row in rows])
        if not self._unread or len(self._due_of_page) >= MAX_IDS_TOGETHER:
            self._waiting.extend(self._due_of_page.items())
            self._due_of_page = {}
        return True

    @property
    def _is_far_ahead(self) -> bool:
        ahead = self._prober.backlog + len(self._waiting)
        return ahead >= max(MAX_BACKLOG, READ_AHEAD_SECONDS * self._prober.rate_rps)

    def _take_page(self) -> bool:
        if self._scan.exhausted:
            return False
        page = self._scan.next_page(0.02 if self._prober.idle and not self._waiting else 0)
        if page is None:
            return False
        self._unread.extend(page.items())
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
        for row in due:
            assert row.endpoint is not None, "foreign rows are left out"
            self._due_of_page.setdefault((row.endpoint, row.connection_id), []).append(row)

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
