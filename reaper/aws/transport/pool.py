"""Kept-alive connections that wait for their next request, by origin."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from operator import attrgetter

from reaper.aws.transport.connection import Connection, Origin

RESTED_SECONDS = 0.1
"""After so long in silence a connection has shown, by being closed, whether it had more to say."""

MAX_IDLE_PER_ORIGIN = 512
"""As many as 10,000 requests a second need at 50 ms; more would only hold file descriptors."""

MAX_IDLE_SECONDS = 60.0
"""What nobody has needed for so long is closed; many are opened for a burst."""

_IDLE_SINCE = attrgetter("idle_since")


class ConnectionPool:
    """Connections to be borrowed, each for one request at a time."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, deque[Connection]] = defaultdict(deque)

    def take(self, origin: Origin, now: float) -> Connection | None:
        """The open connection that was used last, if that is not too long ago."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if now - connection.idle_since > MAX_IDLE_SECONDS:
                connection.close()
            elif connection.is_open:
                return connection
        return None

    def take_rested(self, origin: Origin, not_over: int, now: float) -> Connection | None:
        """The open connection that was used last of those that have been silent for long enough:
        so that those which nobody needs grow old.

        Not the one of number ``not_over``.
        """
        idle = self._idle[origin]
        rested = bisect_right(idle, now - RESTED_SECONDS, key=_IDLE_SINCE)
        for index in reversed(range(rested)):
            connection = idle[index]
            if connection.is_open and connection.number != not_over:
                del idle[index]
                return connection
        return None

    def keep(self, connection: Connection, now: float) -> None:
        """Put a connection aside for the next request, unless too many wait already: those have
        rested for longer."""
        if not connection.is_open:
            return
        idle = self._idle[connection.origin]
        while idle and now - idle[0].idle_since > MAX_IDLE_SECONDS:
            idle.popleft().close()
        if len(idle) >= MAX_IDLE_PER_ORIGIN:
            connection.close()
            return
        connection.idle_since = now
        idle.append(connection)

    def close(self) -> None:
        """Close those that nobody has taken."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
