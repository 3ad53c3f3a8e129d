"""Kept-alive connections of the AWS Common Runtime, by host."""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from awscrt.http import HttpClientConnection
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsConnectionOptions,
    TlsContextOptions,
)

from reaper.aws.transport.trust import proxy_for
from reaper.core.rows.endpoint import Endpoint

RESTED_SECONDS = 1.0
"""After so long in silence a connection has shown, by being closed, whether it had more to say."""

MAX_IDLE_PER_HOST = 512
"""As many as 10,000 requests a second need at 50 ms; more would only hold file descriptors."""


class _Idle(NamedTuple):
    connection: HttpClientConnection
    since: float
    """By the clock that never goes back."""


class ConnectionPool:
    """Connections to be borrowed, each for one request at a time. Not for several threads."""

    def __init__(self, ca_bundle: str, connect_timeout_seconds: float) -> None:
        events = EventLoopGroup(num_threads=1)
        self._bootstrap = ClientBootstrap(events, DefaultHostResolver(events))
        tls = TlsContextOptions()
        tls.override_default_trust_store_from_path(ca_filepath=ca_bundle)
        self._tls = ClientTlsContext(tls)
        self._socket_options = SocketOptions()
        self._socket_options.connect_timeout_ms = int(connect_timeout_seconds * 1000)
        self._order = itertools.count(1)
        self._numbers: WeakKeyDictionary[HttpClientConnection, int] = WeakKeyDictionary()
        self._idle: dict[tuple[str, str, int], deque[_Idle]] = defaultdict(deque)

    def take(self, endpoint: Endpoint) -> HttpClientConnection | None:
        """The open connection that was used last, if there is one."""
        idle = self._idle[endpoint[:3]]
        while idle:
            connection = idle.pop().connection
            if connection.is_open():
                return connection
        return None

    def take_rested(self, endpoint: Endpoint, not_over: int) -> HttpClientConnection | None:
        """The open connection that has been silent for longest, if that is long enough.

        Not the one of number ``not_over``.
        """
        idle = self._idle[endpoint[:3]]
        while idle and time.monotonic() - idle[0].since >= RESTED_SECONDS:
            if self.number_of(idle[0].connection) == not_over:
                idle.rotate(-1)
                if self.number_of(idle[0].connection) == not_over:
                    return None
                continue
            connection = idle.popleft().connection
            if connection.is_open():
                return connection
        return None

    def number_of(self, connection: HttpClientConnection) -> int:
        """Which of all that were ever opened it is."""
        return self._numbers.setdefault(connection, next(self._order))

    def open(self, endpoint: Endpoint) -> Future[HttpClientConnection]:
        """A new connection. Its future is done on a thread of the runtime's."""
        tls = None
        if endpoint.scheme == "https":
            tls = TlsConnectionOptions(self._tls)
            tls.set_server_name(endpoint.host)
        future: Future[Any] = HttpClientConnection.new(
            endpoint.host,
            endpoint.port,
            bootstrap=self._bootstrap,
            socket_options=self._socket_options,
            tls_connection_options=tls,
            proxy_options=proxy_for(endpoint),
        )
        future.add_done_callback(_keep_thread_state)
        return future

    def keep(self, endpoint: Endpoint, connection: HttpClientConnection) -> None:
        """Put a connection aside for the next request, unless too many wait already."""
        idle = self._idle[endpoint[:3]]
        if len(idle) >= MAX_IDLE_PER_HOST:
            connection.close()
        elif connection.is_open():
            idle.append(_Idle(connection, time.monotonic()))

    def close(self) -> None:
        """Close those that nobody has taken."""
        for connections in self._idle.values():
            for idle in connections:
                idle.connection.close()


_kept = threading.local()


def _keep_thread_state(_: object) -> None:
    """Let the runtime's thread keep its Python thread state from callback to callback.

    Else each of the three callbacks of a request makes one and throws it away again, which maps
    and unmaps memory: a third of what a request costs.
    """
    if not hasattr(_kept, "state"):
        _kept.state = ctypes.pythonapi.PyGILState_Ensure()
