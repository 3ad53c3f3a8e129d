"""Signed HTTP over the AWS Common Runtime: kept-alive connections, and a deadline per request.

Everything here belongs to the one thread that calls ``send`` and ``poll``. The runtime's own
threads only put events on a queue, so nothing needs a lock, and nothing can raise where the
runtime would swallow it.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from awscrt.http import (
    HttpClientConnection,
    HttpRequest,
)
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsConnectionOptions,
    TlsContextOptions,
)

from reaper.aws.session import proxy_for
from reaper.aws.signing import Signer, signable_request
from reaper.core.model import Endpoint

MOST_IDLE_PER_HOST = 512
"""As many as 10,000 requests a second need at 50 ms; more would only hold file descriptors."""


class Response(NamedTuple):
    """What came of a request. ``status`` is None when nothing or only half an answer came."""

    tag: Any
    status: int | None
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    error: str
    """Why there is no status, for a person; empty when there is one."""


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request under way."""

    endpoint: Endpoint
    request: HttpRequest
    tag: Any
    deadline: float
    connection: HttpClientConnection | None = None
    reused: bool = False
    """Whether the connection had carried requests before, so that it may have gone stale."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    over: bool = False


class HttpClient:
    """Sends signed requests and hands back what came of them; never raises for a request."""

    def __init__(
        self,
        signer: Signer,
        timeout_seconds: float,
        ca_bundle: str,
    ) -> None:
        self._signer = signer
        self._timeout_seconds = timeout_seconds
        events = EventLoopGroup(num_threads=1)
        self._bootstrap = ClientBootstrap(events, DefaultHostResolver(events))
        tls = TlsContextOptions()
        tls.override_default_trust_store_from_path(ca_filepath=ca_bundle)
        self._tls = ClientTlsContext(tls)
        self._events: SimpleQueue[tuple[_Exchange, Future[Any], bool]] = SimpleQueue()
        self._idle: dict[tuple[str, str, int], list[HttpClientConnection]] = defaultdict(list)
        self._by_deadline: deque[_Exchange] = deque()
        self._responses: list[Response] = []
        self.in_flight = 0
        """Requests sent whose response has not been handed back."""

    def send(self, endpoint: Endpoint, method: str, path: str, body: bytes, tag: Any) -> None:
        """Start one request. Its response, marked with ``tag``, comes from a later ``poll``."""
        request = signable_request(endpoint, method, path, body)
        exchange = _Exchange(endpoint, request, tag, time.monotonic() + self._timeout_seconds)
        self.in_flight += 1
        self._by_deadline.append(exchange)
        try:
            self._signer.sign(request, endpoint.region)
        except Exception as error:  # noqa: BLE001 - a refresh raises whatever a provider raises
            self._finish(exchange, None, f"cannot sign: {error}")
            return
        self._start(exchange)

    def poll(self, wait_seconds: float) -> list[Response]:
        """The responses that have come, waiting up to so long for the first."""
        if self._events.empty() and not self._responses:
            self._handle_event(self._bounded(max(0.0, wait_seconds)))
        while not self._events.empty():
            self._handle_event(0)
        # Only now: what has come in time is an answer, however late it is looked at.
        self._cut_overdue()
        responses, self._responses = self._responses, []
        self.in_flight -= len(responses)
        return responses

    def _handle_event(self, wait_seconds: float) -> None:
        try:
            exchange, future, is_connect = self._events.get(timeout=wait_seconds)
        except Empty:
            return
        self._on_connected(exchange, future) if is_connect else self._on_done(exchange, future)

    def close(self) -> None:
        """Cut everything that is open, under way or not."""
        for exchange in self._by_deadline:
            if exchange.connection is not None:
                exchange.connection.close()
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    def _bounded(self, wait: float) -> float:
        """Do not wait beyond the next deadline."""
        if not self._by_deadline:
            return wait
        return max(0.0, min(wait, self._by_deadline[0].deadline - time.monotonic()))

    def _start(self, exchange: _Exchange) -> None:
        connection = self._take_idle(exchange.endpoint)
        if connection is None:
            self._connect(exchange)
            return
        exchange.reused = True
        self._transmit(exchange, connection)

    def _take_idle(self, endpoint: Endpoint) -> HttpClientConnection | None:
        idle = self._idle[endpoint[:3]]
        while idle:
            connection = idle.pop()
            if connection.is_open():
                return connection
        return None

    def _connect(self, exchange: _Exchange) -> None:
        endpoint = exchange.endpoint
        exchange.reused = False
        tls = None
        if endpoint.scheme == "https":
            tls = TlsConnectionOptions(self._tls)
            tls.set_server_name(endpoint.host)
        future = HttpClientConnection.new(
            endpoint.host,
            endpoint.port,
            bootstrap=self._bootstrap,
            socket_options=_socket_options(self._timeout_seconds),
            tls_connection_options=tls,
            proxy_options=proxy_for(endpoint),
        )
        future.add_done_callback(lambda done: self._events.put((exchange, done, True)))

    def _on_connected(self, exchange: _Exchange, future: Future[Any]) -> None:
        if error := future.exception():
            self._finish(exchange, None, f"cannot connect: {_name(error)}")
        elif exchange.over:
            self._keep(exchange.endpoint, future.result())
        else:
            self._transmit(exchange, future.result())

    def _transmit(self, exchange: _Exchange, connection: HttpClientConnection) -> None:
        exchange.connection = connection

        def on_response(headers: list[tuple[str, str]], **_: Any) -> None:
            exchange.headers = {name.lower(): value for name, value in headers}

        def on_body(chunk: bytes, **_: Any) -> None:
            exchange.body += chunk

        try:
            stream = connection.request(exchange.request, on_response, on_body)
            stream.completion_future.add_done_callback(
                lambda done: self._events.put((exchange, done, False))
            )
            stream.activate()
        except RuntimeError as error:
            if exchange.reused:
                # The server closed it between the look at is_open() and now: nothing was sent.
                self._connect(exchange)
            else:
                self._finish(exchange, None, f"cannot send: {error}")

    def _on_done(self, exchange: _Exchange, future: Future[Any]) -> None:
        if exchange.over:
            return
        error = future.exception()
        if error is not None:
            self._on_broken(exchange, error)
            return
        if exchange.connection is not None:
            self._keep(exchange.endpoint, exchange.connection)
        self._finish(exchange, future.result(), "")

    def _on_broken(self, exchange: _Exchange, error: BaseException) -> None:
        if exchange.reused and not exchange.headers and exchange.request.method == "GET":
            # A kept-alive connection was closed under the request. To ask again changes nothing.
            self._connect(exchange)
        else:
            self._finish(exchange, None, f"connection broke: {_name(error)}")

    def _keep(self, endpoint: Endpoint, connection: HttpClientConnection) -> None:
        """Put a connection aside for the next request, unless too many wait already."""
        idle = self._idle[endpoint[:3]]
        if len(idle) >= MOST_IDLE_PER_HOST:
            connection.close()
        elif connection.is_open():
            idle.append(connection)

    def _cut_overdue(self) -> None:
        now = time.monotonic()
        while self._by_deadline and (
            self._by_deadline[0].over or self._by_deadline[0].deadline <= now
        ):
            exchange = self._by_deadline.popleft()
            if exchange.over:
                continue
            if exchange.connection is not None:
                exchange.connection.close()
            self._finish(exchange, None, f"no answer within {self._timeout_seconds:g} s")

    def _finish(self, exchange: _Exchange, status: int | None, error: str) -> None:
        if exchange.over:
            return
        exchange.over = True
        self._responses.append(
            Response(exchange.tag, status, exchange.headers, bytes(exchange.body), error)
        )


def _socket_options(timeout_seconds: float) -> SocketOptions:
    options = SocketOptions()
    options.connect_timeout_ms = int(timeout_seconds * 1000)
    return options


def _name(error: BaseException) -> str:
    return str(getattr(error, "name", "")) or str(error)
