"""Eviction: read the whole row, write it down, and only then delete it, if it is untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import structlog

from reaper.aws.connections import READ_BATCH, Deletion, TableError
from reaper.core.model import Item, Row
from reaper.core.report import Tally
from reaper.core.rows import AttributePath, RowShape, attribute

log = structlog.get_logger()

DELETES_AT_ONCE = 16


class Reason(StrEnum):
    GONE = "gone"
    """The gateway answered 410 twice."""
    EXPIRED = "expired"
    """Older than the platform lets a socket live."""


class Zombie(NamedTuple):
    row: Row
    reason: Reason


class Audit(Protocol):
    """Where evictions are written down. Raises OSError when it cannot be written to."""

    def write(self, entries: Sequence[dict[str, Any]]) -> None: ...


class Table(Protocol):
    name: str

    def read(self, keys: Sequence[Item]) -> list[Item]: ...
    def delete(self, row: Row, watched: Sequence[AttributePath]) -> Deletion: ...


class Evictor:
    """Evicts zombies in batches.

    At every moment a zombie's row is either still in the table or has its audit line. A line
    whose row was kept after all is followed by one that says so.
    """

    def __init__(
        self,
        table: Table,
        shape: RowShape,
        audit: Audit,
        tally: Tally,
        wall_clock: Callable[[], float],
        *,
        dry_run: bool,
        on_batch: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_batch`` is called before each batch, as a sign of life."""
        self._on_batch = on_batch
        self._table = table
        self._key_names = shape.key_names
        self._watched = shape.watched
        self._audit = audit
        self._tally = tally
        self._wall_clock = wall_clock
        self._dry_run = dry_run
        self.fault: Exception | None = None
        """What made evictions fail; after an audit log that cannot be written, all of them."""

    def evict(self, zombies: Sequence[Zombie], is_stopping: Callable[[], bool]) -> None:
        """Evict each row that is still as it was read. What happens to it is in the tally."""
        for batch in _batches(zombies):
            self._on_batch()
            if is_stopping():
                self._tally.held += len(batch)
            elif isinstance(self.fault, OSError):
                self._tally.failed += len(batch)
            else:
                self._evict_batch(batch)

    def _evict_batch(self, batch: Sequence[Zombie]) -> None:
        try:
            found = self._table.read([zombie.row.key for zombie in batch])
        except TableError as error:
            self._fail(batch, error)
            return
        by_key = {self._key_of(item): item for item in found}
        untouched = []
        for zombie in batch:
            item = by_key.get(self._key_of(zombie.row.key))
            if item is not None and self._is_untouched(zombie.row, item):
                untouched.append((zombie, item))
            else:
                self._keep(zombie)
        if self._dry_run:
            self._tally.evicted += len(untouched)
            for zombie, _ in untouched:
                _log_decision("would evict", zombie)
            return
        try:
            self._audit.write([self._entry("evict", zombie, item) for zombie, item in untouched])
        except OSError as error:
            self._fail([zombie for zombie, _ in untouched], error)
            return
        with ThreadPoolExecutor(DELETES_AT_ONCE, thread_name_prefix="evict") as pool:
            outcomes = list(pool.map(self._delete, [zombie for zombie, _ in untouched]))
        self._settle(untouched, outcomes)

    def _delete(self, zombie: Zombie) -> Deletion | Exception:
        try:
            return self._table.delete(zombie.row, self._watched)
        except Exception as error:  # noqa: BLE001 - the others of its batch must still be counted
            return error

    def _settle(
        self,
        audited: Sequence[tuple[Zombie, Item]],
        outcomes: Iterable[Deletion | Exception],
    ) -> None:
        kept = []
        for (zombie, item), outcome in zip(audited, outcomes, strict=True):
            if outcome is Deletion.DONE:
                self._tally.evicted += 1
                _log_decision("evicted", zombie)
                continue
            kept.append((zombie, item))
            if isinstance(outcome, Exception):
                self._fail([zombie], outcome)
            else:
                self._keep(zombie)
        if kept:
            self._audit_kept(kept)

    def _audit_kept(self, audited: Sequence[tuple[Zombie, Item]]) -> None:
        """Take back the lines of rows that are still there.

        A row that is not was deleted after all, by a request whose answer was lost or by the
        application, and its line stays good.
        """
        try:
            there = self._table.read([zombie.row.key for zombie, _ in audited])
            keys = {self._key_of(item) for item in there}
            self._audit.write(
                [
                    self._entry("kept", zombie, item)
                    for zombie, item in audited
                    if self._key_of(zombie.row.key) in keys
                ]
            )
        except (TableError, OSError) as error:
            self._fail([], error)

    def _keep(self, zombie: Zombie) -> None:
        self._tally.changed += 1
        _log_decision("kept: the row changed since it was read", zombie)

    def _fail(self, zombies: Sequence[Zombie], error: Exception) -> None:
        self._tally.failed += len(zombies)
        self.fault = error
        log.error("evictions failed", rows=len(zombies), error=str(error))

    def _is_untouched(self, row: Row, item: Item) -> bool:
        return row.watched == tuple(attribute(item, path) for path in self._watched)

    def _key_of(self, item: Item) -> tuple[str, ...]:
        return tuple(str(item[name]) for name in self._key_names)

    def _entry(self, action: str, zombie: Zombie, item: Item) -> dict[str, Any]:
        row = zombie.row
        return {
            "audit": action,
            "at": self._wall_clock(),
            "table": self._table.name,
            "reason": zombie.reason.value,
            "connection_id": row.connection_id,
            "endpoint": str(row.endpoint),
            "connected_at": row.connected_at,
            "last_seen_at": row.last_seen_at,
            "key": row.key,
            "item": item,
        }


def _log_decision(event: str, zombie: Zombie) -> None:
    log.info(event, connection_id=zombie.row.connection_id, reason=zombie.reason.value)


def _batches(zombies: Sequence[Zombie]) -> Iterator[Sequence[Zombie]]:
    for start in range(0, len(zombies), READ_BATCH):
        yield zombies[start : start + READ_BATCH]
