"""Removal: what goes with a connection: its row, its id only, its partition, or a hook's choice."""

from __future__ import annotations

import re
from collections.abc import Container, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, Protocol

from reaper.aws.conditions import Change
from reaper.core.items import AttributePath, AttributeValue, Item, attribute
from reaper.core.model import Row, Zombie
from reaper.core.rows import RowReader
from reaper.core.rules import EvictAction, EvictScope
from reaper.core.shape import RowShape

REMOVED_AT_ONCE = 16
"""Where each removal takes a thread of botocore's time."""


class Table(Protocol):
    """What evictions need of a table."""

    @property
    def name(self) -> str: ...
    def key_of(self, item: Item) -> Item: ...
    def read(self, keys: Sequence[Item]) -> list[Item]: ...
    def read_partition(self, key: Item) -> list[Item]: ...
    def delete(self, rows: Sequence[Row]) -> Sequence[Change | Exception]: ...
    def clear(self, row: Row, path: AttributePath) -> Change: ...
    def delete_together(self, rows: Sequence[Row], others: Sequence[Item]) -> Change: ...


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

    def reduced_to(self, items: Container[int]) -> Eviction:
        """What of it is among these items, which are given by ``id()``."""
        return Eviction(
            self.whose,
            [(zombie, item) for zombie, item in self.dead if id(item) in items],
            [item for item in self.along if id(item) in items],
        )


class Removal:
    """Takes a connection out of the table, as the operator wants it."""

    def __init__(
        self,
        table: Table,
        shape: RowShape,
        reader: RowReader,
        action: EvictAction,
        scope: EvictScope,
    ) -> None:
        self._table = table
        self._reader = reader
        self._shape = shape
        self._hash_name = shape.key_names[0]
        self._scope = scope
        self.action = action

    @property
    def takes_partition(self) -> bool:
        """Whether all rows of a partition go together or not at all."""
        return self._scope is EvictScope.PARTITION

    @property
    def is_quick(self) -> bool:
        """Whether removals need no threads, and nothing else to be read."""
        return self.action is not EvictAction.CLEAR and not self.takes_partition

    @property
    def cleared(self) -> AttributePath:
        """The attribute that goes while its row stays; empty where the row goes."""
        return self._shape.connection_id if self.action is EvictAction.CLEAR else ()

    def group(self, row: Row) -> Hashable:
        """Rows with the same group are one connection."""
        if self.takes_partition:
            return str(row.key[self._hash_name])
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
        own = [zombie.row.key for zombie in eviction.zombies]
        partition = self._table.read_partition(key)
        along = [item for item in partition if self._table.key_of(item) not in own]
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
        rows = [zombie.row for zombie in eviction.zombies]
        try:
            if self.takes_partition:
                return self._table.delete_together(rows, eviction.along)
            return _as_one([self._table.clear(row, self.cleared) for row in rows])
        except Exception as error:  # noqa: BLE001 - the others of its batch must still be counted
            return error

    def still_there(self, items: Sequence[Item]) -> set[int]:
        """Of some rows, as they were written down, those that were not removed, by ``id()``.

        Raises TableError.
        """
        held = {
            str(self._table.key_of(item))
            for item in self._table.read([self._table.key_of(item) for item in items])
            if not self.cleared or attribute(item, self.cleared) is not None
        }
        return {id(item) for item in items if str(self._table.key_of(item)) in held}


def _as_one(changes: Sequence[Change | Exception]) -> Change | Exception:
    """What came of a connection, of whose rows each has fared in its own way."""
    errors = [change for change in changes if isinstance(change, Exception)]
    if errors:
        return errors[0]
    return Change.REFUSED if Change.REFUSED in changes else Change.DONE


def is_own_partition(key: AttributeValue, connection_id: str) -> bool:
    """Whether a partition key is this connection's own, as ``abc=`` and ``CONN#host#abc=`` are."""
    value: Any = next(iter(key.values()))
    edge = "[A-Za-z0-9+/=_-]"
    whole = f"(?<!{edge}){re.escape(connection_id)}(?!{edge})"
    return isinstance(value, str) and re.search(whole, value) is not None
