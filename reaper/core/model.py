"""The nouns of a sweep: probe, answer, zombie, change."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple

from reaper.core.refusals import Refusal
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row


class Outcome(Enum):
    """What one answer of the management API says about a connection."""

    ALIVE = "alive"
    GONE = "gone"
    DENIED = "denied"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    """This id was refused as malformed: the row's own fault, and nobody else's."""
    UNKNOWN = "unknown"


class Ask(StrEnum):
    """How a connection is asked after: the method of HTTP."""

    CHECK = "GET"
    HEARTBEAT = "POST"
    CLOSE = "DELETE"
    """Not to ask but to order: close the socket of a deaf client."""


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


# Where something is done for every row: Python 3.11 needs as long to look one of these up in its
# enum as for calling a function.
ALIVE: Final = Outcome.ALIVE
CHECK: Final = Ask.CHECK
HEARTBEAT: Final = Ask.HEARTBEAT
DUE: Final = Purpose.DUE


@dataclass(slots=True, eq=False)
class Probe:
    """One request to the gateway, on behalf of every row that was read with this id."""

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
    """For a person, such as ``403 AccessDeniedException: User … is not authorized to …``."""
    last_active_at: float | None = None
    """From a check that was answered 200."""
    connected_at: float | None = None
    """When the gateway saw the client connect, from such a check too."""
    said_at: float | None = None
    """The gateway's own time when it answered."""
    connection: int = 0
    """The number of the connection that carried it; 0 where there was none."""
    was_stale: bool = False
    """Whether it was sent over a kept-alive connection that turned out to be closed."""
    refusal: Refusal | None = None
    """Why AWS refused it, where it explained that."""


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


class Change(Enum):
    """What came of a change that was made on condition."""

    DONE = "done"
    REFUSED = "refused"
    """The row was touched after it was read, so its connection may be a new one."""
