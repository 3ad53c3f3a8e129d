"""Everything that a sweep needs from outside: table, gateway, audit log, hooks and counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol, TypeVar

from reaper.core.evidence.births import Window
from reaper.core.model import Answer, Change, Probe, Zombie
from reaper.core.portion import Portion
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import AttributePath, AttributeValue, Item
from reaper.core.rows.members import Leaving
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import RowShape, TableFacts

T = TypeVar("T")

Assignments = Sequence[tuple[AttributePath, AttributeValue]]
"""Attributes and what they are set to."""


class Page(Protocol):
    """What one request of a scan brought."""

    def items(self) -> list[Item]:
        """Raises TableError where they cannot be read."""


class Scan(Protocol):
    """Pages of the table, as they come."""

    @property
    def exhausted(self) -> bool:
        """Whether every page has been taken."""

    def advance(self) -> None:
        """Take in what has come by now; to be called often. Raises TableError."""

    def next_page(self, wait_seconds: float) -> Page | None:
        """None if none came within that time. Raises TableError."""

    def stop(self) -> None:
        """Read no more."""


class Table(Protocol):
    """The table of connections. Everything raises TableError."""

    @property
    def name(self) -> str: ...
    @property
    def row_estimate(self) -> int:
        """DynamoDB's own count, up to six hours old."""

    def describe(self) -> TableFacts: ...
    def scan(self, shape: RowShape, portion: Portion, max_rcu: float) -> Scan:
        """At most so many read units a second; 0 is no limit."""

    def read(self, keys: Sequence[Item]) -> list[Item]:
        """The whole rows with these keys as they are now; those that are gone are left out."""

    def read_partition(self, key: Item) -> list[Item]: ...
    def delete(self, rows: Sequence[Row]) -> Sequence[Change | Exception]:
        """Each row only if it is still as it was read, as with every change here."""

    def remove_members(
        self, shape: RowShape, leaving: Sequence[Leaving]
    ) -> Sequence[Change | Exception]:
        """Members of different rows: of each row all of them, or none."""

    def clear(self, row: Row, removed: Sequence[AttributePath], assigned: Assignments) -> Change:
        """The row itself stays."""

    def delete_together(self, rows: Sequence[Row], others: Sequence[Item]) -> Change: ...
    def note_missed_pongs(self, row: Row, missed: MissedPongs) -> Change: ...


class Gateway(Protocol):
    """What a prober asks: API Gateway, or a stand-in. Raises nothing."""

    @property
    def in_flight(self) -> int:
        """Probes started whose answers have not been handed back."""

    def start(self, probe: Probe) -> None: ...
    def poll(self, wait_seconds: float) -> list[Answer]:
        """The answers that have come, waiting up to so long for the first."""


class Audit(Protocol):
    """Where evictions are written down. Raises AuditError when it cannot be written to."""

    def write(self, entries: Sequence[dict[str, Any]]) -> None: ...


class Beside(Protocol):
    """Does what may wait on a thread beside the sweep's own; the work of one lane in its order."""

    def __call__(self, lane: str, work: Callable[[], T]) -> Future[T]: ...


Hook = Callable[[Sequence[Zombie]], list[Exception | None]]
"""Tells the application of zombies, at most ``HOOK_BATCH``, before their rows go. Returns for each
what went wrong, or None; what went wrong keeps its row. Called beside the sweep, and may take long.
"""

EvictionStep = Callable[[Sequence[Zombie]], "Future[list[Exception | None]]"]
"""Begins something about zombies before their rows go: closes their sockets, or calls a hook."""


class MessageSource(Protocol):
    """Counts the application's messages, and has to know of the heartbeats among them."""

    def note_heartbeats(self, total: float, at: float) -> None: ...
    def count(self, endpoints: Iterable[Endpoint], now: float) -> int:
        """Raises MessagesUnknown."""


class ConnectCounter(Protocol):
    """Counts an API's connects. Called on a thread of its own."""

    def connects(self, endpoint: Endpoint, window: Window) -> int | None:
        """How many there were; None where that is not told. Raises nothing."""


class Outside(NamedTuple):
    """All of it, for one worker."""

    table: Table
    gateway: Gateway
    audit: Audit
    beside: Beside
    hooks: Sequence[Hook] = ()
    """Taken in order, between the audit line and the removal."""
    messages: MessageSource | None = None
    connects: ConnectCounter | None = None
