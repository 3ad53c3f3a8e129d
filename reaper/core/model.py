"""The nouns: endpoint, row, probe, outcome, zombie."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from reaper.core.items import AttributeValue, Item
from reaper.core.shape import RowShape


class Endpoint(NamedTuple):
    """Where the management API of one WebSocket API stage answers."""

    scheme: str
    host: str
    port: int
    path: str
    """What precedes ``/@connections``: ``/prod``; empty for a bare custom domain."""
    region: str
    api_id: str | None
    """None behind a custom domain, whose name does not tell."""
    stage: str | None

    @property
    def is_execute_api(self) -> bool:
        """Whether the host is API Gateway's own, and no custom domain or stand-in."""
        return self.api_id is not None and self.host.startswith(f"{self.api_id}.execute-api.")

    @property
    def authority(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own."""
        standard = {"https": 443, "http": 80}[self.scheme]
        return self.host if self.port == standard else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


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
    """What the scan brought of it."""
    shape: RowShape
    connection_id: str
    """Empty when the row holds no usable id."""
    endpoint: Endpoint | None
    """None when the row belongs to an endpoint that this reaper does not serve."""
    connected_at: float | None
    last_seen_at: float | None
    message_count: int
    missed_pongs: MissedPongs | None = None

    @property
    def key(self) -> Item:
        """The primary key of the table, hash and range."""
        return {name: self.item[name] for name in self.shape.key_names}

    @property
    def watched(self) -> tuple[AttributeValue | None, ...]:
        """The attributes, as read, that must still be the same when the row is evicted."""
        return self.shape.watched_in(self.item)

    def is_untouched(self, item: Item) -> bool:
        """Whether nothing that is watched has changed in what the row holds now."""
        return self.watched == self.shape.watched_in(item)

    @property
    def is_keyed_by_connection(self) -> bool:
        """Whether the key holds the connection id, so that the row is of that connection alone."""
        return any(self.connection_id in str(value) for value in self.key.values())


class Outcome(Enum):
    """What one answer of the management API says about a connection."""

    ALIVE = "alive"
    GONE = "gone"
    DENIED = "denied"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    """This id was refused as malformed: the row's own fault, and nobody else's."""
    UNKNOWN = "unknown"


class Ask(Enum):
    """How a connection is asked after."""

    CHECK = "GET"
    HEARTBEAT = "POST"
    CLOSE = "DELETE"
    """No question but an order: to close the socket of a deaf client."""


class Purpose(Enum):
    """Why a connection is asked after, and so what its answer is evidence of."""

    DUE = "due"
    SUSPECT = "suspect"
    """Another look at one that answered 410."""
    WITNESS = "witness"
    """One that is likely to live, asked because evidence needs a living witness."""
    PANEL = "panel"
    """One that was alive a short while ago, asked again before rows go."""
    KEEPALIVE = "keepalive"
    """A heartbeat that follows a check: the check proved life and showed the socket idle."""
    SELF_TEST = "self-test"
    """A living one, asked twice to see whether a GET by itself counts as activity."""
    CLOSE = "close"


@dataclass(slots=True)
class Probe:
    """One question to the gateway, on behalf of every row that was read with this id."""

    endpoint: Endpoint
    connection_id: str
    ask: Ask
    purpose: Purpose
    rows: list[Row] = field(default_factory=list)
    attempts: int = 0
    follow_ups: int = 0
    """How many heartbeats checks have called for so far, this one included."""
    is_second: bool = False
    """Whether it asks again what an answer of a moment ago left in doubt."""
    is_rested: bool = False
    """Whether it goes over a connection that has been silent for a while, or over a new one."""
    not_over: int = 0
    """The number of a connection that it must not go over."""
    sent_at: float = 0.0
    """When it was sent last, in seconds of the clock that never goes back."""


class Answer(NamedTuple):
    """What came of a probe. Times are epoch seconds by the gateway's clock."""

    probe: Probe
    outcome: Outcome
    detail: str
    """For a person: ``403 AccessDeniedException``, ``timed out after 5 s``."""
    last_active_at: float | None = None
    """From a check that was answered 200."""
    connected_at: float | None = None
    """When the gateway saw the client connect, from such a check too."""
    said_at: float | None = None
    """The gateway's own time when it answered."""
    connection: int = 0
    """The number of the connection that carried it; 0 where there was none."""


class Reason(StrEnum):
    """Why a row is evicted."""

    GONE = "gone"
    """Three strikes: it answered 410 when the gateway was known to tell the truth."""
    EXPIRED = "expired"
    """Older than the platform lets a socket live, and still answering 410."""
    DEAF = "deaf"
    """Its socket was open, but several heartbeats in a row went unanswered."""


class Zombie(NamedTuple):
    """A row to be evicted."""

    row: Row
    reason: Reason
    evidence: dict[str, Any]
    """What it was convicted on, for the audit line."""
