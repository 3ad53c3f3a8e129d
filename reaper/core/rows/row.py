"""A connection row: what the scan read of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import AttributeValue, Identity, Item, text_of
from reaper.core.rows.shape import RowShape


class MissedPongs(NamedTuple):
    """What a row remembers of the heartbeats that its client took and did not answer."""

    missed: int
    at: float
    """Epoch seconds of the last of them."""
    unchanged: str
    """The fingerprint that the row had then. With any other one the count is void."""


class Row(NamedTuple):
    """One connection row as the scan read it. Times are epoch seconds."""

    item: Item
    """What the scan brought of it; of a member, the row as if it held that one alone."""
    shape: RowShape
    connection_id: str
    """Empty when the row holds no usable id."""
    endpoint: Endpoint | None
    """None when the row belongs to an endpoint that this reaper does not serve."""
    connected_at: float | None
    last_seen_at: float | None
    message_count: int
    missed_pongs: MissedPongs | None = None
    occurrence: int = 0
    """Of a member: how many before it in its row have the same id."""

    @property
    def key(self) -> Item:
        """The primary key of the table, hash and range; of a member, that of its row."""
        return self.shape.key_of(self.item)

    @property
    def identity(self) -> Identity:
        """What tells it from all other connections of the table."""
        return self.shape.identity_of(self.item, self.occurrence)

    @property
    def is_member(self) -> bool:
        """Whether it is one of many in a row of the table, which stays when it goes."""
        return bool(self.shape.collection)

    @property
    def watched(self) -> tuple[AttributeValue | None, ...]:
        """The attributes, as read, that must still be the same when the row is evicted."""
        return self.shape.watched_in(self.item)

    def is_untouched(self, item: Item) -> bool:
        """Whether nothing that is watched has changed in what the row holds now."""
        return self.watched == self.shape.watched_in(item)

    @property
    def is_keyed_by_connection(self) -> bool:
        """Whether the key holds the connection id, so that the row is of that connection alone.

        A member is so where it is the entry of a map under its id.
        """
        if self.is_member:
            return self.shape.is_keyed_by_id
        for name in self.shape.key_names:
            if self.connection_id in (text_of(self.item[name]) or ""):
                return True
        return False


def opened_at(rows: Iterable[Row]) -> float | None:
    """When a connection was opened, by the youngest of its rows; None where they cannot tell.

    Not by a row that is keyed by something else than the connection: a user who comes back may
    have put a new id beside an old time.
    """
    youngest = -inf
    for row in rows:
        if row.connected_at is None or not row.is_keyed_by_connection:
            return None
        youngest = max(youngest, row.connected_at)
    return youngest
