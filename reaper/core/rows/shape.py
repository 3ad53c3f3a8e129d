"""How the connection rows of a table look."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from functools import cached_property, partial
from typing import NamedTuple

from reaper.core.rows.items import (
    EACH,
    EACH_KEY,
    AttributePath,
    AttributeValue,
    Getter,
    Identity,
    Item,
    getter,
    identity,
    text_of,
)
from reaper.core.rows.members import (
    Member,
    collection_in,
    is_collection,
    members_of,
    picked,
    stored_id,
)
from reaper.core.rows.row_filter import RowFilter

MISSED_PONGS: AttributePath = ("reaperMissedPongs",)
"""Where the reaper itself writes on a row: a map with the fields of MissedPongs."""


class TableFacts(NamedTuple):
    """What a table, or the index that is scanned, is like."""

    name: str
    key_names: tuple[str, ...]
    """Hash key of the table, then its range key if there is one."""
    partition_key: str
    """By which rows are placed in what is scanned: the table, or its index."""
    projected: frozenset[str] | None
    """The attributes that the scanned index holds; None where it holds them all."""


class IndexFacts(NamedTuple):
    """What an index of a table is like."""

    name: str
    key_names: tuple[str, ...]
    holds_all: bool
    """Whether every attribute of a row is in it."""


@dataclass(frozen=True)
class RowShape:
    """Which attributes of a row mean what, as the operator says and as the table has them.

    A row may hold many connections; each is an item of its own then, of the shape ``of_members``.
    """

    key_names: tuple[str, ...]
    connection_id: AttributePath
    connected_at: AttributePath
    """Empty, as the next two, where nothing tells it."""
    last_seen_at: AttributePath
    message_count: AttributePath
    endpoint: tuple[AttributePath, ...] = ()
    id_pattern: re.Pattern[str] | None = None
    row_filter: RowFilter = ()
    projected: frozenset[str] | None = None
    """The attributes that a scan can bring, where an index does not hold them all."""
    counts_pongs: bool = False
    time_zone: tzinfo = UTC
    """Of times that do not name theirs."""
    connected_at_offset_seconds: float = 0.0

    def key_of(self, item: Item) -> Item:
        """The primary key of an item."""
        return {name: item[name] for name in self.key_names}

    def identity_of(self, item: Item, occurrence: int = 0) -> Identity:
        """What tells a connection of the table from all others: its row, and of many its id, and
        which of those with this id it is.
        """
        row = identity(self.key_of(item))
        if not self.collection:
            return row
        return (*row, (EACH, str(occurrence), text_of(self.stored_id(item)) or ""))

    @cached_property
    def collection(self) -> AttributePath:
        """What holds the members whose shape this is; empty for that of a row."""
        return collection_in(self.connection_id)

    @cached_property
    def of_members(self) -> RowShape:
        """That of the members of a row, of whom only what stands beside their ids tells times."""
        path = self.connection_id if self.collection else (*self.connection_id, EACH)
        shape = replace(self, connection_id=path, counts_pongs=False)

        def if_beside(path: AttributePath) -> AttributePath:
            return path if shape.is_beside_id(path) else ()

        return replace(
            shape,
            connected_at=if_beside(self.connected_at),
            last_seen_at=if_beside(self.last_seen_at),
            message_count=if_beside(self.message_count),
        )

    @property
    def is_keyed_by_id(self) -> bool:
        """Of a shape of members: whether they are the entries of a map under their ids."""
        return self.connection_id[-1] == EACH_KEY

    def is_beside_id(self, path: AttributePath) -> bool:
        """Of a shape of members: whether what is there is of one of them, and not of their row."""
        place = self.connection_id[: len(self.collection) + 1]
        return path[: len(place)] == place

    def shape_in(self, item: Item) -> RowShape:
        """Its own, or that of members, where the item holds a set or a list in place of an id."""
        if not self.collection and is_collection(self.stored_id(item)):
            return self.of_members
        return self

    def members_in(self, item: Item) -> list[Member]:
        """For a shape of members: those of a row that hold a text where the id is to be."""
        before: Counter[str] = Counter()
        found = []
        around = picked(item, self._of_row)
        for member in members_of(item, self.connection_id, around):
            text = text_of(self.stored_id(member.item))
            if text is not None:
                found.append(member._replace(occurrence=before[text]) if before[text] else member)
                before[text] += 1
        return found

    def by_identity(self, items: Iterable[Item]) -> dict[Identity, Item]:
        """Every connection of these rows."""
        found: dict[Identity, Item] = {}
        for item in items:
            shape = self.shape_in(item)
            if shape.collection:
                found |= {
                    shape.identity_of(member.item, member.occurrence): member.item
                    for member in shape.members_in(item)
                }
            else:
                found[shape.identity_of(item)] = item
        return found

    @cached_property
    def stored_id(self) -> Getter:
        """The text that holds a connection's id."""
        if self.collection:
            return partial(stored_id, connection_id=self.connection_id)
        return getter(self.connection_id)

    @cached_property
    def _of_row(self) -> list[AttributePath]:
        """What a member's item has of its row."""
        watched = [path for path in self.watched if not self.is_beside_id(path)]
        return [*((name,) for name in self.key_names), *watched]

    @cached_property
    def watched(self) -> tuple[AttributePath, ...]:
        """What shows that a row has been touched: compared again when the row is evicted."""
        others = dict.fromkeys(
            (
                self.connected_at,
                self.last_seen_at,
                self.message_count,
                *self.endpoint,
                *(condition.path for condition in self.row_filter),
            )
        )
        paths = (self.connection_id, *others)
        return tuple(path for path in paths if path and self.can_bring(path))

    @cached_property
    def _watched_getters(self) -> list[Getter]:
        if not self.can_bring(self.connection_id):
            return [getter(path) for path in self.watched]
        return [self.stored_id, *map(getter, self.watched[1:])]

    def watched_in(self, item: Item) -> tuple[AttributeValue | None, ...]:
        """What an item holds of it."""
        return tuple([get(item) for get in self._watched_getters])

    @property
    def missing(self) -> list[AttributePath]:
        """What the index does not hold although no row can be understood without it."""
        filtered = (condition.path for condition in self.row_filter)
        indispensable = [self.connection_id, *self.endpoint, *filtered]
        if self.counts_pongs:
            indispensable += [MISSED_PONGS, self.last_seen_at]
        return [path for path in indispensable if not self.can_bring(path)]

    def can_bring(self, path: AttributePath) -> bool:
        return self.projected is None or path[0] in self.projected

    @property
    def needed(self) -> list[AttributePath]:
        """Everything that a scan has to bring, each path once and none inside another."""
        watched = (collection_in(path) or path for path in self.watched)
        paths = {*((name,) for name in self.key_names), *watched}
        if self.counts_pongs:
            paths.add(MISSED_PONGS)
        return sorted(
            path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))
        )
