"""Signed HTTP over the AWS Common Runtime, with a deadline per request.

Everything here belongs to the one thread that calls ``send`` and ``poll``. The runtime's own
threads only put events on a queue, so nothing needs a lock, and nothing can raise where the
runtime would swallow it.
"""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from awscrt.http import HttpClientConnection, HttpClientStream, HttpRequest

from reaper.aws.transport.pool import ConnectionPool
from reaper.aws.transport.signing import Headers, Signer
from reaper.core.rows.endpoint import Endpoint

GATHER_SECONDS = 0.0005
"""After the first event others get this long to come, so that waking up is worth its price."""


class Response(NamedTuple):
    """What came of a request. ``status`` is None when nothing or only half an answer came."""

    tag: Any
    status: int | None
    headers: Headers
    body: bytes
    error: str
    """Why there is no status, for a person; empty when there is one."""
    connection: int = 0
    """The number of the connection that carried it; 0 where there was none."""

    def header(self, name: str) -> str:
        """The value of a header, whose name is in lower case; empty where it is absent."""
        return next((value for key, value in self.headers if key.lower() == name), "")


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
    headers: Headers = ()
    chunks: list[bytes] = field(default_factory=list)

    def on_response(self, headers: Headers, **_: object) -> None:
        self.headers = headers

    def on_body(self, chunk: bytes, **_: object) -> None:
        self.chunks.append(chunk)


class HttpClient:
    """Sends signed requests and hands back what came of them; never raises for a request."""

    def __init__(self, signer: Signer, timeout_seconds: float, ca_bundle: str) -> None:
        self._signer = signer
        self._timeout_seconds = timeout_seconds
        self._pool = ConnectionPool(ca_bundle, timeout_seconds)
        self._events: SimpleQueue[tuple[_Exchange, Future[Any], bool]] = SimpleQueue()
        self._under_way: OrderedDict[_Exchange, None] = OrderedDict()
        """In the order of their deadlines."""
        self._prepared: list[tuple[_Exchange, HttpClientStream]] = []
        self._responses: list[Response] = []

    @property
    def in_flight(self) -> int:
        """Requests sent whose response has not been handed back."""
        return len(self._under_way) + len(self._responses)

    def send(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        body: bytes,
        tag: Any,
        headers: Headers = (),
        *,
        not_over: int | None = None,
    ) -> None:
        """Start one request. Its response, marked with ``tag``, comes from a later ``poll``.

        ``path`` is percent-encoded once; names in ``headers`` are in lower case. With
        ``not_over`` it goes over another connection than the one of that number, and over none that
        was used a moment ago: where something in between has sent an answer too many, it may still
        bring somebody else's.
        """
        request = HttpRequest(method, path, None, io.BytesIO(body) if body else None)
        exchange = _Exchange(endpoint, request, tag, time.monotonic() + self._timeout_seconds)
        self._under_way[exchange] = None
        try:
            signed = self._signer.sign(endpoint, method, path, body, time.time(), headers)
        except Exception as error:  # noqa: BLE001 - a refresh raises whatever a provider raises
            self._finish(exchange, None, f"cannot sign: {error}")
            return
        request.headers.add_pairs(signed)
        if not_over is None:
            connection = self._pool.take(endpoint)
        else:
            connection = self._pool.take_rested(endpoint, not_over)
        if connection is None:
            self._connect(exchange)
        else:
            exchange.reused = True
            self._transmit(exchange, connection)

    def poll(self, wait_seconds: float) -> list[Response]:
        """The responses that have come, waiting up to so long for the first."""
        self._activate()
        if self._events.empty() and not self._responses:
            self._wait(self._bounded(wait_seconds))
        for _ in range(self._events.qsize()):
            self._handle(*self._events.get_nowait())
        self._activate()
        # Only now: what has come in time is an answer, however late it is looked at.
        self._cut_overdue()
        responses, self._responses = self._responses, []
        return responses

    def close(self) -> None:
        """Cut everything that is open, under way or not."""
        for exchange in self._under_way:
            if exchange.connection is not None:
                exchange.connection.close()
        self._pool.close()

    def _bounded(self, wait: float) -> float:
        """Do not wait beyond the next deadline."""
        if not self._under_way:
            return wait
        return min(wait, next(iter(self._under_way)).deadline - time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Until an event has come, and those that come with it."""
        if seconds <= 0:
            return
        try:
            event = self._events.get(timeout=seconds)
        except Empty:
            return
        time.sleep(GATHER_SECONDS)
        self._handle(*event)

    def _handle(self, exchange: _Exchange, future: Future[Any], is_connected: bool) -> None:
        self._on_connected(exchange, future) if is_connected else self._on_done(exchange, future)

    def _connect(self, exchange: _Exchange) -> None:
        exchange.reused = False
        self._pool.open(exchange.endpoint).add_done_callback(
            lambda done: self._events.put((exchange, done, True))
        )

    def _on_connected(self, exchange: _Exchange, future: Future[Any]) -> None:
        error = future.exception()
        if exchange not in self._under_way:
            if error is None:
                self._pool.keep(exchange.endpoint, future.result())
        elif error is None:
            self._transmit(exchange, future.result())
        else:
            self._finish(exchange, None, f"cannot connect: {_name(error)}")

    def _transmit(self, exchange: _Exchange, connection: HttpClientConnection) -> None:
        exchange.connection = connection
        try:
            stream = connection.request(exchange.request, exchange.on_response, exchange.on_body)
            stream.completion_future.add_done_callback(
                lambda done: self._events.put((exchange, done, False))
            )
        except RuntimeError as error:
            self._on_unsent(exchange, error)
        else:
            self._prepared.append((exchange, stream))

    def _activate(self) -> None:
        """Send all that is prepared, at once: each one alone would wake the runtime's thread."""
        prepared, self._prepared = self._prepared, []
        for exchange, stream in prepared:
            try:
                stream.activate()
            except RuntimeError as error:
                self._on_unsent(exchange, error)

    def _on_unsent(self, exchange: _Exchange, error: RuntimeError) -> None:
        if exchange.reused:
            # The server closed it between the look at is_open() and now: nothing was sent.
            self._connect(exchange)
        else:
            self._finish(exchange, None, f"cannot send: {error}")

    def _on_done(self, exchange: _Exchange, future: Future[Any]) -> None:
        if exchange not in self._under_way:
            return
        error = future.exception()
        if error is not None:
            self._on_broken(exchange, error)
            return
        self._pool.keep(exchange.endpoint, exchange.connection)
        self._finish(exchange, future.result(), "")

    def _on_broken(self, exchange: _Exchange, error: BaseException) -> None:
        if exchange.reused and not exchange.headers and exchange.request.method == "GET":
            # A kept-alive connection was closed under the request. To ask again changes nothing.
            self._connect(exchange)
        else:
            self._finish(exchange, None, f"connection broke: {_name(error)}")

    def _cut_overdue(self) -> None:
        now = time.monotonic()
        while self._under_way and (exchange := next(iter(self._under_way))).deadline <= now:
            if exchange.connection is not None:
                exchange.connection.close()
            self._finish(exchange, None, f"no answer within {self._timeout_seconds:g} s")

    def _finish(self, exchange: _Exchange, status: int | None, error: str) -> None:
        del self._under_way[exchange]
        body = b"".join(exchange.chunks)
        number = self._pool.number_of(exchange.connection) if exchange.connection else 0
        self._responses.append(
            Response(exchange.tag, status, exchange.headers, body, error, number)
        )


def _name(error: BaseException) -> str:
    return str(getattr(error, "name", "")) or str(error)
