"""Pongs: which clients answer their heartbeats, and which have become deaf."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from reaper.core.errors import TableError
from reaper.core.model import Probe, Reason, Zombie
from reaper.core.pongs import BloomFilter, missed_again
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import Item, attribute, text_of
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import RowShape
from reaper.sweep.context import SweepContext
from reaper.sweep.ports import Table

log = structlog.get_logger()

READ_TOGETHER = 100
"""Rows whose clients' time is over: as many as one request brings."""

NOTED_AT_ONCE = 16

MAX_SILENT = 10_000
"""So many rows at most are taken for deaf in a sweep; the next one finds the others."""


class Pongs:
    """Looks again at the rows of clients that took a heartbeat, when their time is over.

    Only what was missed is written, on the row itself: so a count outlives the process, and moves
    with the row to whichever worker sweeps it next.
    """

    def __init__(self, context: SweepContext, table: Table, shape: RowShape) -> None:
        self._rules = context.rules.pong
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._table = table
        self._shape = shape
        self._memory = context.memory
        self._expected: deque[tuple[float, float, Probe]] = deque()
        self._silent: list[Zombie] = []
        self._heard_of = BloomFilter(context.wall_clock())
        self.fault: TableError | None = None
        """What kept pongs from being looked at or written down, if anything did."""

    @property
    def awaited(self) -> int:
        """Heartbeats whose pong may still come."""
        return len(self._expected)

    def expect(self, heartbeat: Probe) -> None:
        """A client has taken a heartbeat just now."""
        if self._rules.expects_pongs:
            due_at = self._clock() + self._rules.timeout_seconds
            self._expected.append((due_at, self._wall_clock(), heartbeat))

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

    def collect(self) -> None:
        """Decide about the clients whose time is over. A table that fails convicts nobody."""
        overdue: list[tuple[float, Probe]] = []
        while self._expected and self._expected[0][0] <= self._clock():
            _, sent_at, heartbeat = self._expected.popleft()
            overdue.append((sent_at, heartbeat))
        for start in range(0, len(overdue), READ_TOGETHER):
            try:
                self._look_again(overdue[start : start + READ_TOGETHER])
            except TableError as error:
                self.fault = error
                log.error("pongs not read", why=str(error))
                return

    def _look_again(self, overdue: Sequence[tuple[float, Probe]]) -> None:
        found = self._table.read([row.key for _, probe in overdue for row in probe.rows])
        items = {self._shape.identity_of(item): item for item in found}
        missed: list[tuple[Row, MissedPongs]] = []
        for sent_at, probe in overdue:
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
                evidence = {"missed_pongs": pongs.missed, "last_heartbeat_at": pongs.at}
                self._silent.append(Zombie(row, Reason.DEAF, evidence))
        with ThreadPoolExecutor(NOTED_AT_ONCE, thread_name_prefix="pongs") as pool:
            for _ in pool.map(self._note, to_be_noted):
                pass

    def _still_holds(self, connection_id: str, item: Item) -> bool:
        """Whether it is still about the same connection: a newer one has answered nothing."""
        return connection_id in (text_of(attribute(item, self._shape.connection_id)) or "")

    def _note(self, row_and_count: tuple[Row, MissedPongs]) -> None:
        row, pongs = row_and_count
        log.info("missed pong", connection_id=row.connection_id, missed=pongs.missed)
        self._table.note_missed_pongs(row, pongs)
