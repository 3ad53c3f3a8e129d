"""Pongs: which clients answer their heartbeats, and which have become deaf."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import structlog

from reaper.core.errors import TableError
from reaper.core.model import Probe, Reason, Zombie
from reaper.core.moments import iso
from reaper.core.pongs import BloomFilter, missed_again
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import Item, attribute, text_of
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import RowShape
from reaper.sweep.beside import Task, TaskLine
from reaper.sweep.context import SweepContext
from reaper.sweep.ports import Beside, Table

log = structlog.get_logger()

READ_TOGETHER = 100
"""Rows whose clients' time is over: as many as one request brings."""

NOTED_AT_ONCE = 16

MAX_SILENT = 10_000
"""So many rows at most are taken for deaf in a sweep; the next one finds the others."""


LANE = "pongs"


class _Heartbeat(NamedTuple):
    """One that was taken, and whose pong may come."""

    due_at: float
    """By the clock that never goes back."""
    sent_at: float
    """In epoch seconds, by this host."""
    probe: Probe


class Pongs:
    """Looks again at the rows of clients that took a heartbeat, when their time is over.

    Only what was missed is written, on the row itself: so a count outlives the process, and moves
    with the row to whichever worker sweeps it next.
    """

    def __init__(
        self, context: SweepContext, table: Table, shape: RowShape, beside: Beside
    ) -> None:
        self._rules = context.rules.pong
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._table = table
        self._shape = shape
        self._memory = context.memory
        self._beside = beside
        self._line = TaskLine()
        self._expected: deque[_Heartbeat] = deque()
        self._looked_at = 0
        self._silent: list[Zombie] = []
        self._heard_of = BloomFilter(context.wall_clock())
        self.fault: TableError | None = None
        """What kept pongs from being looked at or written down, if anything did."""

    @property
    def awaited(self) -> int:
        """Heartbeats of which it is not known yet whether their pong has come."""
        return len(self._expected) + self._looked_at

    @property
    def is_reading(self) -> bool:
        return self._line.is_busy

    def expect(self, heartbeat: Probe) -> None:
        """A client has taken a heartbeat just now. No count is kept on a row of many."""
        if self._rules.expects_pongs and not any(row.is_member for row in heartbeat.rows):
            due_at = self._clock() + self._rules.timeout_seconds
            self._expected.append(_Heartbeat(due_at, self._wall_clock(), heartbeat))

    def hear_of(self, rows: Iterable[Row]) -> None:
        """Rows show by themselves that their connections were heard of a short while ago."""
        if self._rules.expects_pongs:
            for row in rows:
                self._heard_of.add(row.connection_id)

    def take_silent(self) -> dict[Endpoint, list[Zombie]]:
        """Those of whose connection no row at all shows a sign of life.

        Only when all rows have been seen, since a connection may stand in several.
        """
        silent, self._silent = self._silent, []
        found: defaultdict[Endpoint, list[Zombie]] = defaultdict(list)
        for zombie in silent:
            if zombie.row.connection_id not in self._heard_of and zombie.row.endpoint is not None:
                found[zombie.row.endpoint].append(zombie)
        return found

    def advance(self) -> None:
        """Decide about the clients whose time is over. A table that fails convicts nobody."""
        overdue: list[_Heartbeat] = []
        while self._expected and self._expected[0].due_at <= self._clock():
            overdue.append(self._expected.popleft())
        for start in range(0, len(overdue), READ_TOGETHER):
            some = overdue[start : start + READ_TOGETHER]
            self._looked_at += len(some)
            self._line.add(self._look_again(some))
        self._line.advance()

    def _look_again(self, overdue: Sequence[_Heartbeat]) -> Task:
        keys = [row.key for heartbeat in overdue for row in heartbeat.probe.rows]
        try:
            found = yield self._beside(LANE, partial(self._table.read, keys))
            to_be_noted = self._who_missed(overdue, found)
            yield self._beside(LANE, partial(_note_all, self._table, to_be_noted))
        except TableError as error:
            self.fault = error
            log.error("pongs not read", why=str(error))
        self._looked_at -= len(overdue)

    def _who_missed(
        self, overdue: Sequence[_Heartbeat], found: Sequence[Item]
    ) -> list[tuple[Row, MissedPongs]]:
        """Decide by the rows as they are now. Returns what is to be written on some of them."""
        items = {self._shape.identity_of(item): item for item in found}
        missed: list[tuple[Row, MissedPongs]] = []
        for _, sent_at, probe in overdue:
            present = [(row, items[row.identity]) for row in probe.rows if row.identity in items]
            touched = [item for row, item in present if not row.is_untouched(item)]
            if any(self._still_holds(probe.connection_id, item) for item in touched):
                self._heard_of.add(probe.connection_id)
                self._memory.endpoints[probe.endpoint].heard_pong()
            elif not touched and len(present) == len(probe.rows):
                missed += [(row, missed_again(row, sent_at, self._rules)) for row in probe.rows]
        to_be_noted = []
        for row, pongs in missed:
            if pongs.missed < self._rules.max_missed:
                to_be_noted.append((row, pongs))
                self._heard_of.add(row.connection_id)  # of late, if not just now
            elif len(self._silent) < MAX_SILENT:
                evidence = {"missed_pongs": pongs.missed, "last_heartbeat_at": iso(pongs.at)}
                self._silent.append(Zombie(row, Reason.DEAF, evidence))
        return to_be_noted

    def _still_holds(self, connection_id: str, item: Item) -> bool:
        """Whether it is still about the same connection: a newer one has answered nothing."""
        return connection_id in (text_of(attribute(item, self._shape.connection_id)) or "")


def _note_all(table: Table, missed: Sequence[tuple[Row, MissedPongs]]) -> None:
    """Raises TableError."""

    def note(row_and_count: tuple[Row, MissedPongs]) -> None:
        row, pongs = row_and_count
        log.info("missed pong", connection_id=row.connection_id, missed=pongs.missed)
        table.note_missed_pongs(row, pongs)

    with ThreadPoolExecutor(NOTED_AT_ONCE, thread_name_prefix="pongs") as pool:
        for _ in pool.map(note, missed):
            pass
