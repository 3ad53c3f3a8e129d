"""From a DynamoDB item to a connection row, as the settings say that rows look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.ids import looks_like_id
from reaper.core.rows.items import (
    MAX_VALUE_LENGTH,
    AttributeValue,
    Item,
    attribute,
    getter,
    text_of,
)
from reaper.core.rows.members import is_collection, is_emptied
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import MISSED_PONGS, RowShape
from reaper.core.rows.times import Time, epoch_seconds, read_time

MAX_MESSAGE_COUNT = 10**12
"""More messages than any connection can carry."""

_NO_PATH_SEGMENTS = (".", "..")

MAX_CONNECTION_ID_LENGTH = 256
"""Generous: API Gateway issues 16 characters, stand-ins and custom encodings some more."""


_new_row: Callable[[tuple[Any, ...]], Row] = partial(tuple.__new__, Row)
"""From all fields of a row: its class itself takes three times as long."""


class RowReader:
    """Reads items into rows; items that are no connection rows are passed over.

    What depends on the shape alone is worked out once: a scan reads millions of rows.
    """

    def __init__(self, shape: RowShape, resolver: EndpointResolver) -> None:
        self.shape = shape
        self._stored_id = shape.stored_id
        self._is_of_members = bool(shape.collection)
        self._id_pattern = shape.id_pattern
        self._row_filter = shape.row_filter
        self._connected_at = getter(shape.connected_at)
        self._last_seen_at = getter(shape.last_seen_at)
        self._message_count = getter(shape.message_count)
        self._endpoint_values = [getter(path) for path in shape.endpoint]
        self._configured = resolver.of_row(())
        self._resolver = resolver
        self._zone, self._offset = shape.time_zone, shape.connected_at_offset_seconds

    def read_page(self, items: Sequence[Item], now: float) -> list[Row]:
        """The connections of ``items``; ``now`` tells which times make sense."""
        return [row for item in items for row in self.read(item, now) or ()]

    def read(self, item: Item, now: float) -> list[Row] | None:
        """The connections of an item: one, or those that it has as members, of whom there may be
        none for the moment. None for an item of some other kind.
        """
        stored_id = self._stored_id(item)
        text = text_of(stored_id)
        if self._is_of_members or (text is None and is_collection(stored_id)):
            return self._read_members(item, now)
        row = self._read_one(item, text, now)
        return None if row is None else [row]

    def _read_members(self, item: Item, now: float) -> list[Row] | None:
        reader = self._of_members
        rows = [
            row._replace(occurrence=occurrence) if occurrence else row
            for _, one, occurrence in reader.shape.members_in(item)
            if (row := reader._read_one(one, text_of(reader._stored_id(one)), now)) is not None
        ]
        return rows if rows or is_emptied(item, reader.shape.connection_id) else None

    @cached_property
    def _of_members(self) -> RowReader:
        return self if self.shape.collection else RowReader(self.shape.of_members, self._resolver)

    def _read_one(self, item: Item, text: str | None, now: float) -> Row | None:
        """``text`` is what holds the id."""
        for condition in self._row_filter:
            if not condition.is_met_by(item):
                return None
        if text is None or len(text) > MAX_VALUE_LENGTH:
            connection_id = ""
        elif self._id_pattern is None:
            connection_id = text
        elif match := self._id_pattern.fullmatch(text):
            connection_id = match[1 if self._id_pattern.groups else 0]
        else:
            return None
        endpoint = self._configured
        if self._endpoint_values:
            endpoint = self._resolver.of_row([value(item) for value in self._endpoint_values])
        message_count = self._message_count(item)
        return _new_row(
            (
                item,
                self.shape,
                connection_id if connection_id and _is_usable(connection_id, endpoint) else "",
                endpoint,
                epoch_seconds(self._connected_at(item), now, self._zone, self._offset),
                epoch_seconds(self._last_seen_at(item), now, self._zone),
                0 if message_count is None else _count(message_count),
                _missed_pongs(item) if self.shape.counts_pongs else None,
                0,
            )
        )

    def why_foreign(self, item: Item) -> str | None:
        """What the item names as its endpoint, and why that is not served; None where it is."""
        return self._resolver.why_foreign([attribute(item, path) for path in self.shape.endpoint])

    def connection_time(self, row: Row) -> Time | None:
        """What it says of when its client connected, however little sense that makes."""
        time = read_time(attribute(row.item, row.shape.connected_at), self._zone)
        return None if time is None else time._replace(seconds=time.seconds + self._offset)


def _missed_pongs(item: Item) -> MissedPongs | None:
    """None where there is no count, or none that could be ours."""
    held = (attribute(item, MISSED_PONGS) or {}).get("M", {})
    missed, at, unchanged = (text_of(held.get(name)) for name in MissedPongs._fields)
    if missed is None or at is None or unchanged is None:
        return None
    try:
        return MissedPongs(int(missed), float(at), unchanged)
    except ValueError:
        return None


def _is_usable(connection_id: str, endpoint: Endpoint | None) -> bool:
    """Whether this can be an id: a path segment of a URL that still means this connection.

    On hosts of API Gateway's own it must look like one of its ids; stand-ins have ids of any form.
    """
    if endpoint is not None and endpoint.is_execute_api:
        return looks_like_id(connection_id)
    return (
        connection_id.isprintable()
        and len(connection_id) <= MAX_CONNECTION_ID_LENGTH
        and not connection_id.isspace()
        and connection_id not in _NO_PATH_SEGMENTS
    )


def _count(value: AttributeValue) -> int:
    """A message counter; what is negative or no number counts nothing."""
    try:
        return min(max(0, int(text_of(value) or 0)), MAX_MESSAGE_COUNT)
    except ValueError:
        return 0
