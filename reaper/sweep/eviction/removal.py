"""Removal: what goes with a connection: its row, its id only, its partition, or a hook's choice."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from reaper.core.model import Change, Zombie
from reaper.core.rows.clearing import Clearing
from reaper.core.rows.ids import is_own_partition
from reaper.core.rows.items import Identity, Item, attribute, identity
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.sweep_rules import EvictAction, EvictScope, SweepRules
from reaper.sweep.ports import Table

REMOVED_AT_ONCE = 16
"""Where each removal takes a thread of botocore's time."""


class NotItsOwn(Exception):
    """A partition is not this connection's own. The message names the cure."""


class Eviction(NamedTuple):
    """One dead connection: the rows that hold its id, whole, and what goes along with them."""

    whose: Zombie
    """The first of them."""
    dead: list[tuple[Zombie, Item]]
    along: list[Item]

    @property
    def zombies(self) -> list[Zombie]:
        return [zombie for zombie, _ in self.dead]

    @property
    def items(self) -> list[Item]:
        return [item for _, item in self.dead] + self.along

    def reduced_to(self, rows: Container[Identity]) -> Eviction:
        """What of it is among these rows."""
        identity_of = self.whose.row.shape.identity_of
        return Eviction(
            self.whose,
            [(zombie, item) for zombie, item in self.dead if identity_of(item) in rows],
            [item for item in self.along if identity_of(item) in rows],
        )


class Removal:
    """Takes a connection out of the table, as the operator wants it."""

    def __init__(
        self,
        table: Table,
        shape: RowShape,
        reader: RowReader,
        rules: SweepRules,
        wall_clock: Callable[[], float],
    ) -> None:
        self._table = table
        self._reader = reader
        self.shape = shape
        self._hash_name = shape.key_names[0]
        self._scope = rules.evict_scope
        self.action = rules.evict_action
        self._clearing = rules.clearing
        self._wall_clock = wall_clock

    @property
    def takes_partition(self) -> bool:
        """Whether all rows of a partition go together or not at all."""
        return self._scope is EvictScope.PARTITION

    @property
    def is_quick(self) -> bool:
        """Whether removals need no threads, and nothing else to be read."""
        return self.action is not EvictAction.CLEAR and not self.takes_partition

    @property
    def cleared(self) -> Clearing | None:
        """What is changed on a row that stays; None where the row goes."""
        return self._clearing if self.action is EvictAction.CLEAR else None

    def group(self, row: Row) -> Hashable:
        """Rows with the same group are one connection."""
        if self.takes_partition:
            return identity({self._hash_name: row.key[self._hash_name]})
        return row.endpoint, row.connection_id

    def goes_along(self, eviction: Eviction) -> list[Item]:
        """The other rows of its partition, where that goes as a whole.

        Raises NotItsOwn where those may be somebody else's, TableError where they cannot be read.
        """
        if not self.takes_partition:
            return []
        ids = {zombie.row.connection_id for zombie in eviction.zombies}
        key = eviction.whose.row.key
        if not all(is_own_partition(key[self._hash_name], one) for one in ids):
            raise NotItsOwn(
                f"{self._hash_name} does not hold the connection id, so the other rows under it"
                " may be somebody else's: REAPER_EVICT_SCOPE=row is what fits this table"
            )
        own = {zombie.row.identity for zombie in eviction.zombies}
        partition = self._table.read_partition(key)
        along = [item for item in partition if self.shape.identity_of(item) not in own]
        rows = self._reader.read_page(along, now=0)
        if any(row.connection_id and row.connection_id not in ids for row in rows):
            raise NotItsOwn(
                f"other connections have rows under the same {self._hash_name}:"
                " REAPER_EVICT_SCOPE=row is what fits this table"
            )
        return along

    def remove(self, evictions: Sequence[Eviction]) -> list[Change | Exception]:
        """Do it where the rows are still as they were read, and say for each what came of it."""
        if self.action is EvictAction.HOOK:
            return [Change.DONE] * len(evictions)
        if not self.is_quick:
            with ThreadPoolExecutor(REMOVED_AT_ONCE, thread_name_prefix="evict") as pool:
                return list(pool.map(self._remove_one, evictions))
        changes = iter(
            self._table.delete([zombie.row for one in evictions for zombie in one.zombies])
        )
        return [_as_one(list(islice(changes, len(one.dead)))) for one in evictions]

    def _remove_one(self, eviction: Eviction) -> Change | Exception:
        try:
            if self.takes_partition:
                rows = [zombie.row for zombie in eviction.zombies]
                return self._table.delete_together(rows, eviction.along)
            return _as_one([self._clear(zombie.row, item) for zombie, item in eviction.dead])
        except Exception as error:  # noqa: BLE001 - the others of its batch must still be counted
            return error

    def _clear(self, row: Row, item: Item) -> Change:
        removed = self._clearing.removed_from(item)
        return self._table.clear(row, removed, self._clearing.assigned_at(self._wall_clock()))

    def still_there(self, items: Sequence[Item]) -> set[Identity]:
        """Of rows that were written down, those that were not removed. Raises TableError."""
        found = self._table.read([self.shape.key_of(item) for item in items])
        return {
            self.shape.identity_of(item)
            for item in found
            if not self.cleared or attribute(item, self.cleared.connection_id) is not None
        }


def _as_one(changes: Sequence[Change | Exception]) -> Change | Exception:
    """What came of a connection, of whose rows each has fared in its own way."""
    errors = [change for change in changes if isinstance(change, Exception)]
    if errors:
        return errors[0]
    return Change.REFUSED if Change.REFUSED in changes else Change.DONE
