"""How the connection rows of a table look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cached_property
from typing import NamedTuple

from reaper.core.rows.items import (
    AttributePath,
    AttributeValue,
    Getter,
    Identity,
    Item,
    getter,
    identity,
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
    """Which attributes of a row mean what, as the operator says and as the table has them."""

    key_names: tuple[str, ...]
    connection_id: AttributePath
    connected_at: AttributePath
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

    def identity_of(self, item: Item) -> Identity:
        return identity(self.key_of(item))

    @cached_property
    def watched(self) -> tuple[AttributePath, ...]:
        """What shows that a row has been touched: compared again when the row is evicted."""
        paths = (
            self.connection_id,
            self.connected_at,
            self.last_seen_at,
            self.message_count,
            *self.endpoint,
            *(condition.path for condition in self.row_filter),
        )
        return tuple(path for path in dict.fromkeys(paths) if self.can_bring(path))

    @cached_property
    def _watched_getters(self) -> list[Getter]:
        return [getter(path) for path in self.watched]

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
        paths = {*((name,) for name in self.key_names), *self.watched}
        if self.counts_pongs:
            paths.add(MISSED_PONGS)
        return sorted(
            path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))
        )
