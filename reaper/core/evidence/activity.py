"""When a client was last active: by the gateway's account if that can be believed, and by our own.

Nothing documents what moves ``lastActiveAt``. If a GET did, to trust it would let idle sockets die;
if a POST did not, everybody would get a heartbeat in every sweep.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final, NamedTuple

PAUSE_SECONDS = 3.0
"""Between the two GETs of the self-test."""

NOTICEABLE_SECONDS = 1.0
"""Times that differ by less are the same."""

MAX_TRIALS = 3
"""A client may happen to be active between the two, or to leave. So often in a row is no chance."""

MAX_HEARTBEATS = 100_000
"""So many of our own are remembered, the last ones."""


class Belief(Enum):
    UNTESTED = "untested"
    BELIEVED = "believed"
    DISBELIEVED = "disbelieved"


UNTESTED: Final = Belief.UNTESTED
BELIEVED: Final = Belief.BELIEVED  # to look one up in its enum takes as long as a call


class SelfTest:
    """Asks one living id twice, and looks whether its last activity has followed."""

    def __init__(self) -> None:
        self.belief = Belief.UNTESTED
        self._first: _Trial | None = None
        self._failed_trials = 0

    @property
    def wants_trial(self) -> bool:
        """Whether a living id should be asked twice."""
        return self.belief is Belief.UNTESTED and self._first is None

    def first(self, connection_id: str, last_active_at: float) -> None:
        """What the first GET told. The second is to follow after ``PAUSE_SECONDS``."""
        self._first = _Trial(connection_id, last_active_at)

    def second(self, connection_id: str, last_active_at: float | None) -> None:
        """What the second GET told; None if it told nothing."""
        first, self._first = self._first, None
        if first is None or first.connection_id != connection_id:
            return
        self._failed_trials += 1
        moved_by = None if last_active_at is None else last_active_at - first.last_active_at
        if moved_by is not None and moved_by < NOTICEABLE_SECONDS:
            self.belief = Belief.BELIEVED
        elif self._failed_trials >= MAX_TRIALS:
            self.belief = Belief.DISBELIEVED

    def give_up(self) -> None:
        """The sweep is over, and the second GET was not sent."""
        self._first = None


class _Trial(NamedTuple):
    connection_id: str
    last_active_at: float


class OwnHeartbeats:
    """When this process last sent a heartbeat to whom, by the clock that never goes back."""

    def __init__(self, max_kept: int = MAX_HEARTBEATS) -> None:
        self._max_kept = max_kept
        self._sent: dict[str, float] = {}

    def note(self, connection_id: str, at: float) -> None:
        self._sent.pop(connection_id, None)
        self._sent[connection_id] = at
        if len(self._sent) > self._max_kept:
            del self._sent[next(iter(self._sent))]

    def last_to(self, connection_id: str) -> float:
        """Long ago where none is remembered."""
        return self._sent.get(connection_id, -inf)
