"""Pongs: which clients answer their heartbeats, and which have become deaf."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from reaper.aws.connections import Change
from reaper.aws.dynamodb import READ_BATCH
from reaper.aws.errors import TableError
from reaper.context import SweepContext
from reaper.core.model import Item, MissedPongs, Probe, Reason, Row, Zombie
from reaper.core.pong import missed_again
from reaper.core.rows import AttributePath, RowShape, attribute
from reaper.judgement import Judgement

log = structlog.get_logger()

NOTED_AT_ONCE = 16


class Table(Protocol):
    def key_of(self, item: Item) -> Item: ...
    def read(self, keys: Sequence[Item]) -> list[Item]: ...
    def note_missed_pongs(
        self, row: Row, watched: Sequence[AttributePath], missed: MissedPongs
    ) -> Change: ...


class Pongs:
    """Looks again at the rows of clients that took a heartbeat, when their time is over.

    Only what was missed is written, on the row itself: so a count outlives the process, and moves
    with the row to whichever worker sweeps it next.
    """

    def __init__(
        self, context: SweepContext, table: Table, shape: RowShape, judgement: Judgement
    ) -> None:
        self._rules = context.rules.pong
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._table = table
        self._watched = shape.watched
        self._judgement = judgement
        self._expected: deque[tuple[float, float, Probe]] = deque()
        self.fault: TableError | None = None
        """What kept pongs from being looked at or written down, if anything did."""

    @property
    def awaited(self) -> int:
        """Heartbeats whose pong may still come."""
        return len(self._expected)

    def expect(self, heartbeat: Probe) -> None:
        """A client has taken a heartbeat just now."""
        if self._rules.expects_pongs:
            due = self._clock() + self._rules.timeout_seconds
            self._expected.append((due, self._wall_clock(), heartbeat))

    def collect(self) -> None:
        """Decide about the clients whose time is over. A table that fails convicts nobody."""
        overdue: list[tuple[float, Probe]] = []
        while self._expected and self._expected[0][0] <= self._clock():
            _, sent_at, heartbeat = self._expected.popleft()
            overdue.append((sent_at, heartbeat))
        for start in range(0, len(overdue), READ_BATCH):
            try:
                self._look_again(overdue[start : start + READ_BATCH])
            except TableError as error:
                self.fault = error
                log.error("pongs cannot be looked at", why=str(error))
                return

    def _look_again(self, overdue: Sequence[tuple[float, Probe]]) -> None:
        found = self._table.read([row.key for _, probe in overdue for row in probe.rows])
        items = {str(self._table.key_of(item)): item for item in found}
        missed: list[tuple[Row, MissedPongs]] = []
        for sent_at, probe in overdue:
            present = [(row, items[str(row.key)]) for row in probe.rows if str(row.key) in items]
            if any(self._is_touched(*one) for one in present):
                self._judgement.site(probe.endpoint).evidence.pongs += len(probe.rows)
            elif len(present) == len(probe.rows):
                missed += [(row, missed_again(row, sent_at, self._rules)) for row in probe.rows]
        for row, pongs in missed:
            if pongs.missed >= self._rules.max_missed:
                self._convict(row, pongs)
        to_be_noted = [one for one in missed if one[1].missed < self._rules.max_missed]
        with ThreadPoolExecutor(NOTED_AT_ONCE, thread_name_prefix="pongs") as pool:
            for _ in pool.map(self._note, to_be_noted):
                pass

    def _is_touched(self, row: Row, item: Item) -> bool:
        return row.watched != tuple(attribute(item, path) for path in self._watched)

    def _convict(self, row: Row, pongs: MissedPongs) -> None:
        assert row.endpoint is not None, "a foreign row is never sent a heartbeat"
        site = self._judgement.site(row.endpoint)
        site.evidence.deaf += 1
        evidence = {"missed_pongs": pongs.missed, "last_heartbeat_at": pongs.at}
        site.deaf.append(Zombie(row, Reason.DEAF, evidence))

    def _note(self, row_and_count: tuple[Row, MissedPongs]) -> None:
        row, pongs = row_and_count
        log.info("missed pong", connection_id=row.connection_id, missed=pongs.missed)
        self._table.note_missed_pongs(row, self._watched, pongs)
