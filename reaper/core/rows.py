"""From a DynamoDB item to a connection row, as the settings say that rows look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reaper.core.endpoint import EndpointResolver
from reaper.core.model import AttributeValue, Item, MissedPongs, Row
from reaper.core.times import epoch_seconds

LARGEST_COUNT = 10**12
"""More messages than any connection can carry."""

AttributePath = tuple[str, ...]
"""An attribute's name, or the names that lead through maps to it."""

MISSED_PONGS: AttributePath = ("reaperMissedPongs",)
"""Where the reaper itself writes on a row: a map with the fields of MissedPongs."""

LONGEST_CONNECTION_ID = 256
"""Generous: API Gateway issues 16 characters, stand-ins and custom encodings some more."""


def attribute_path(name: str) -> AttributePath:
    """``data.endpoint`` leads through a map; names may hold hyphens. Raises ValueError."""
    path = tuple(name.strip().split("."))
    if not all(path):
        raise ValueError("must be an attribute name, or names joined by single dots")
    return path


def attribute(item: Item, path: AttributePath) -> AttributeValue | None:
    """The value at ``path``, or None where any step of it is absent."""
    value: AttributeValue | None = item.get(path[0])
    for name in path[1:]:
        value = value["M"].get(name) if value is not None and "M" in value else None
    return value


@dataclass(frozen=True, slots=True)
class RowShape:
    """How the connection rows of a table look."""

    key_names: tuple[str, ...]
    connection_id: AttributePath
    connected_at: AttributePath
    last_seen_at: AttributePath
    message_count: AttributePath
    endpoint: tuple[AttributePath, ...] = ()
    id_pattern: re.Pattern[str] | None = None
    row_filter: tuple[AttributePath, re.Pattern[str]] | None = None
    projected: frozenset[str] | None = None
    """The attributes that a scan can bring, where an index does not hold them all."""
    counts_pongs: bool = False

    @property
    def watched(self) -> tuple[AttributePath, ...]:
        """What shows that a row has been touched: compared again when the row is evicted."""
        paths = (
            self.connection_id,
            self.connected_at,
            self.last_seen_at,
            self.message_count,
            *self.endpoint,
        )
        return tuple(path for path in paths if self.can_bring(path))

    @property
    def missing(self) -> list[AttributePath]:
        """What the index does not hold although no row can be understood without it."""
        indispensable = [self.connection_id, *self.endpoint]
        if self.row_filter:
            indispensable.append(self.row_filter[0])
        if self.counts_pongs:
            indispensable += [MISSED_PONGS, self.last_seen_at]
        return [path for path in indispensable if not self.can_bring(path)]

    def can_bring(self, path: AttributePath) -> bool:
        return self.projected is None or path[0] in self.projected

    @property
    def needed(self) -> list[AttributePath]:
        """Everything that a scan has to bring, each path once and none inside another."""
        paths = {*((name,) for name in self.key_names), *self.watched}
        if self.row_filter:
            paths.add(self.row_filter[0])
        if self.counts_pongs:
            paths.add(MISSED_PONGS)
        return sorted(
            path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))
        )


class RowReader:
    """Reads items into rows; items that are no connection rows are passed over."""

    def __init__(self, shape: RowShape, resolver: EndpointResolver) -> None:
        self._shape = shape
        self._watched = shape.watched
        self._resolver = resolver

    def read_page(self, items: Sequence[Item], now: float) -> list[Row]:
        """The connection rows among ``items``; ``now`` tells which times make sense."""
        return [row for item in items if (row := self.read(item, now)) is not None]

    def read(self, item: Item, now: float) -> Row | None:
        """One row, or None for an item that is some other kind of row."""
        shape = self._shape
        if shape.row_filter and not _matches(item, *shape.row_filter):
            return None
        stored_id = _text(attribute(item, shape.connection_id))
        connection_id = stored_id
        if stored_id is not None and shape.id_pattern is not None:
            match = shape.id_pattern.fullmatch(stored_id)
            if match is None:
                return None
            connection_id = match[1] if shape.id_pattern.groups else match[0]
        return Row(
            key={name: item[name] for name in shape.key_names},
            connection_id=connection_id if connection_id and _is_usable(connection_id) else "",
            endpoint=self._resolver.of_row([attribute(item, path) for path in shape.endpoint]),
            connected_at=epoch_seconds(attribute(item, shape.connected_at), now),
            last_seen_at=epoch_seconds(attribute(item, shape.last_seen_at), now),
            message_count=_count(attribute(item, shape.message_count)),
            watched=tuple(attribute(item, path) for path in self._watched),
            missed_pongs=_missed_pongs(item) if shape.counts_pongs else None,
        )


def is_untouched(row: Row, item: Item, watched: Sequence[AttributePath]) -> bool:
    """Whether what is watched of a row is still as it was read."""
    return row.watched == tuple(attribute(item, path) for path in watched)


def _missed_pongs(item: Item) -> MissedPongs | None:
    """None where there is no count, or none that could be ours."""
    held = (attribute(item, MISSED_PONGS) or {}).get("M", {})
    missed, at, unchanged = (_text(held.get(name)) for name in MissedPongs._fields)
    if missed is None or at is None or unchanged is None:
        return None
    try:
        return MissedPongs(int(missed), float(at), unchanged)
    except ValueError:
        return None


def _text(value: AttributeValue | None) -> str | None:
    text = value.get("S", value.get("N")) if value is not None else None
    return text if isinstance(text, str) else None


def _matches(item: Item, path: AttributePath, pattern: re.Pattern[str]) -> bool:
    text = _text(attribute(item, path))
    return text is not None and pattern.fullmatch(text) is not None


def _is_usable(connection_id: str) -> bool:
    """Whether this can be a path segment of a URL that still means this connection."""
    return (
        len(connection_id) <= LONGEST_CONNECTION_ID
        and connection_id.isprintable()
        and not connection_id.isspace()
        and connection_id not in (".", "..")
    )


def _count(value: AttributeValue | None) -> int:
    """A message counter; what is absent, negative or no number counts nothing."""
    try:
        return min(max(0, int(_text(value) or 0)), LARGEST_COUNT)
    except ValueError:
        return 0
