"""Removal: what goes with a connection: its row, its id only, its partition, or a hook's choice."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from reaper.core.errors import Fault
from reaper.core.model import Change, Zombie
from reaper.core.rows.clearing import Clearing
from reaper.core.rows.ids import is_own_partition
from reaper.core.rows.items import Identity, Item, identity
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.sweep_rules import EvictAction, EvictScope, SweepRules
from reaper.sweep.eviction.members import remove_members
from reaper.sweep.ports import Table

T = TypeVar("T")

REMOVED_AT_ONCE = 16
"""Where each removal takes a thread of botocore's time."""


CURE = "set REAPER_EVICT_SCOPE=row, which is what fits this table"


class NotItsOwn(Fault):
    """A partition is not this connection's own."""


Dead = tuple[Zombie, Item]
"""A zombie, and its row as it is now."""


class Eviction(NamedTuple):
    """One dead connection: the rows that hold its id, whole, and what goes along with them."""

    whose: Zombie
    """The first of them."""
    dead: list[Dead]
    along: list[Item]

    @property
    def zombies(self) -> list[Zombie]:
        return [zombie for zombie, _ in self.dead]

    @property
    def items(self) -> list[Item]:
        return [item for _, item in self.dead] + self.along

    def reduced_to(self, rows: Container[Identity]) -> Eviction:
        """What of it is among these rows, or members of rows."""
        shape = self.whose.row.shape
        return Eviction(
            self.whose,
            [(zombie, item) for zombie, item in self.dead if zombie.row.identity in rows],
            [item for item in self.along if shape.identity_of(item) in rows],
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

    def cleared_of(self, row: Row) -> Clearing | None:
        """What is changed on a row that stays; None where the row goes, or a member of it."""
        is_cleared = self.action is EvictAction.CLEAR and not row.is_member
        return self._clearing if is_cleared else None

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
        if any(zombie.row.is_member for zombie in eviction.zombies):
            raise NotItsOwn("a row holds the ids of many connections", CURE)
        ids = {zombie.row.connection_id for zombie in eviction.zombies}
        key = eviction.whose.row.key
        if not all(is_own_partition(key[self._hash_name], one) for one in ids):
            raise NotItsOwn(
                f"{self._hash_name} does not hold the connection id, so the other rows under it"
                " may be somebody else's",
                CURE,
            )
        own = {zombie.row.identity for zombie in eviction.zombies}
        partition = self._table.read_partition(key)
        along = [item for item in partition if self.shape.identity_of(item) not in own]
        rows = self._reader.read_page(along, now=0)
        if any(row.connection_id and row.connection_id not in ids for row in rows):
            raise NotItsOwn(f"other connections have rows under the same {self._hash_name}", CURE)
        return along

    def remove(self, evictions: Sequence[Eviction]) -> list[Change | Exception]:
        """Do it where the rows are still as they were read, and say for each what came of it."""
        if self.action is EvictAction.HOOK:
            return [Change.DONE] * len(evictions)
        if self.takes_partition:
            return _at_once(self._remove_partition, evictions)
        dead = [one for eviction in evictions for one in eviction.dead]
        rows = [one for one in dead if not one[0].row.is_member]
        members = [zombie.row for zombie, _ in dead if zombie.row.is_member]
        of_rows = iter(self._remove_rows(rows) if rows else ())
        of_members = iter(remove_members(members, self._table) if members else ())
        return [
            _as_one([next(of_members if one.row.is_member else of_rows) for one in each.zombies])
            for each in evictions
        ]

    def _remove_rows(self, dead: Sequence[Dead]) -> Sequence[Change | Exception]:
        if self.action is EvictAction.CLEAR:
            return _at_once(self._clear, dead)
        return self._table.delete([zombie.row for zombie, _ in dead])

    def _remove_partition(self, eviction: Eviction) -> Change:
        rows = [zombie.row for zombie in eviction.zombies]
        return self._table.delete_together(rows, eviction.along)

    def _clear(self, dead: Dead) -> Change:
        zombie, item = dead
        removed = self._clearing.removed_from(item)
        assigned = self._clearing.assigned_at(self._wall_clock())
        return self._table.clear(zombie.row, removed, assigned)

    def still_there(self, items: Sequence[Item]) -> set[Identity]:
        """Of connections that were written down, those that were not removed. Raises TableError."""
        found = self._table.read([self.shape.key_of(item) for item in items])
        there = self.shape.by_identity(found)
        if self.action is not EvictAction.CLEAR:
            return set(there)
        return {one for one, item in there.items() if self._holds_id(item)}

    def _holds_id(self, item: Item) -> bool:
        return self.shape.shape_in(item).stored_id(item) is not None


def _at_once(work: Callable[[T], Change], given: Sequence[T]) -> list[Change | Exception]:
    """What came of each, of which none holds up the others."""

    def result_of(one: T) -> Change | Exception:
        try:
            return work(one)
        except Exception as error:  # noqa: BLE001 - the others of its batch must still be counted
            return error

    with ThreadPoolExecutor(REMOVED_AT_ONCE, thread_name_prefix="evict") as pool:
        return list(pool.map(result_of, given))


def _as_one(changes: Sequence[Change | Exception]) -> Change | Exception:
    """What came of a connection, of whose rows each has fared in its own way."""
    errors = [change for change in changes if isinstance(change, Exception)]
    if errors:
        return errors[0]
    return Change.REFUSED if Change.REFUSED in changes else Change.DONE
