"""Signed HTTP/1.1, many requests at a time on one thread, each with a deadline.

Sockets never block, names are looked up beside the loop, and everything else happens in ``send``
and ``poll``, on the thread that calls them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from functools import lru_cache
from itertools import count
from selectors import EVENT_READ, DefaultSelector, SelectorKey
from typing import Any

import msgspec

from reaper.aws.transport.connection import FIRST_BYTE, SEND, Connection, Origin
from reaper.aws.transport.parser import Head, header_of
from reaper.aws.transport.pool import ConnectionPool
from reaper.aws.transport.proxies import ProxyUnfit, proxy_for
from reaper.aws.transport.resolver import Address, Name, Resolver
from reaper.aws.transport.signing import Headers, Signer
from reaper.aws.transport.trust import Trust
from reaper.core.rows.endpoint import Endpoint

GATHER_SECONDS = 0.002
"""After the first event others get this long to come, so that waking up is worth its price."""

ORIGINS_KNOWN = 1024

_DATE = b"\r\nDate: "
_DATE_LENGTH = len("Fri, 27 Nov 2026 16:37:13 GMT")


class Response(msgspec.Struct, frozen=True):
    """What came of a request. ``status`` is None when nothing or only half an answer came."""

    tag: Any
    status: int | None
    head: Head
    body: bytes
    error: str
    """Why there is no status, for a person; empty when there is one."""
    connection: int = 0
    """The number of the connection that carried it; 0 where there was none."""
    was_stale: bool = False
    """Whether a kept-alive connection turned out to be closed: it may be sent again at once."""

    def header(self, name: bytes) -> str:
        """The value of a header, whose name is given in lower case; empty where it is absent."""
        return (header_of(self.head, name) or b"").decode("latin-1")

    @property
    def date(self) -> str:
        """The Date header, which is looked for in every answer, and first as AWS writes it."""
        start = self.head.find(_DATE)
        if start < 0:
            return self.header(b"date")
        start += len(_DATE)
        return self.head[start : start + _DATE_LENGTH].decode("latin-1")

    @property
    def error_type(self) -> str:
        """AWS's own word for a refusal; empty where there is none."""
        return self.header(b"x-amzn-errortype").split(":")[0]


class HttpClient:
    """Sends signed requests and hands back what came of them; never raises for a request.

    A request is sent once: whether it is worth another is for those to say who count requests.
    """

    def __init__(
        self, signer: Signer, timeout_seconds: float, trust: Trust, max_body_bytes: int
    ) -> None:
        """``timeout_seconds`` is for a whole request, its connection included."""
        self._signer = signer
        self._timeout_seconds = timeout_seconds
        self._trust = trust
        self._max_body_bytes = max_body_bytes
        self._pool = ConnectionPool()
        self._numbers = count(1)
        self._selector = DefaultSelector()
        self._resolver = Resolver()
        self._selector.register(self._resolver, EVENT_READ, None)
        self._origin_of = lru_cache(ORIGINS_KNOWN)(_origin_of)
        self._under_way: dict[Connection, float] = {}
        """Those that carry a request, or are opened for one, in the order of the deadlines."""
        self._unresolved: defaultdict[Name, list[Connection]] = defaultdict(list)
        self._connecting: set[Connection] = set()
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

        ``path`` is percent-encoded once; ``headers`` is a tuple of pairs with names in lower case.
        With ``not_over`` it goes over another connection than the one of that number, and over none
        that was used a moment ago: where something in between has sent an answer too many, it may
        still bring somebody else's.
        """
        now = time.monotonic()
        try:
            origin = self._origin_of(endpoint)
            signed = self._signer.sign(endpoint, method, path, body, time.time(), headers)
        except (ProxyUnfit, ValueError) as error:
            self._responses.append(Response(tag, None, b"", b"", str(error)))
            return
        except Exception as error:  # noqa: BLE001 - a refresh raises whatever a provider raises
            self._responses.append(Response(tag, None, b"", b"", f"cannot sign: {error}"))
            return
        if origin.proxy is not None and origin.scheme == "http":
            path, signed = _through_proxy(endpoint, origin, path, signed)
        message = f"{method} {path} HTTP/1.1\r\n{signed}\r\n".encode() + body
        if not_over is None:
            connection = self._pool.take(origin, now)
        else:
            connection = self._pool.take_rested(origin, not_over, now)
        is_new = connection is None
        if connection is None:
            connection = self._new_connection(origin)
        self._under_way[connection] = now + self._timeout_seconds
        connection.carry(message, tag)
        if is_new:
            self._open(connection, now)

    def poll(self, wait_seconds: float) -> list[Response]:
        """The responses that have come, waiting up to so long for the first."""
        give_up_at = time.monotonic() + wait_seconds
        while True:
            for key, _ in self._ready(give_up_at):
                if key.data is None:
                    self._on_resolved()
                else:
                    key.data.on_event()
            # Only now: what has come in time is an answer, however late it is looked at.
            now = time.monotonic()
            self._cut_overdue(now)
            if self._responses or now >= give_up_at:
                break
        responses, self._responses = self._responses, []
        return responses

    def close(self) -> None:
        """Cut everything that is open, under way or not."""
        for connection in self._under_way:
            connection.close()
        self._pool.close()
        self._selector.close()
        self._resolver.close()

    def _ready(self, give_up_at: float) -> list[tuple[SelectorKey, int]]:
        """What is ready now, or becomes so before something else is to be done."""
        ready = self._selector.select(0)
        if ready or self._responses:
            return ready
        moments = [connection.next_address_at for connection in self._connecting]
        if self._under_way:
            moments.append(next(iter(self._under_way.values())))
        wait_seconds = min([give_up_at, *moments]) - time.monotonic()
        if wait_seconds <= 0 or not self._selector.select(wait_seconds):
            return ready
        time.sleep(GATHER_SECONDS)
        return self._selector.select(0)

    # Connections

    def _new_connection(self, origin: Origin) -> Connection:
        return Connection(
            next(self._numbers),
            origin,
            self._trust,
            self._selector,
            self,
            self._max_body_bytes,
            time.monotonic,
        )

    def _open(self, connection: Connection, now: float) -> None:
        name = connection.origin.socket_name
        found = self._resolver.find(name, now)
        if found is None:
            self._unresolved[name].append(connection)
            return
        addresses, fault = found
        if addresses:
            self._connecting.add(connection)
            connection.open(addresses, self._under_way[connection])
        else:
            self._fail(connection, f"cannot resolve {name[0]}: {fault}")

    def _on_resolved(self) -> None:
        now = time.monotonic()
        for name in self._resolver.collect(now):
            for connection in self._unresolved.pop(name, ()):
                if connection.is_busy:
                    self._open(connection, now)

    def _cut_overdue(self, now: float) -> None:
        for connection in [one for one in self._connecting if one.next_address_at <= now]:
            connection.try_next_address()
        while self._under_way and next(iter(self._under_way.values())) <= now:
            connection = next(iter(self._under_way))
            self._fail(
                connection,
                f"no answer within {self._timeout_seconds:g} s: waited for {connection.phase}",
            )

    # What connections tell of themselves

    def on_connected(self, connection: Connection) -> None:
        self._connecting.discard(connection)

    def on_answer(self, connection: Connection, tag: Any) -> None:
        parser = connection.parser
        del self._under_way[connection]
        self._pool.keep(connection, time.monotonic())
        self._responses.append(
            Response(tag, parser.status, parser.head, parser.body, "", connection.number)
        )

    def on_broken(self, connection: Connection, fault: str) -> None:
        if connection.is_busy:
            was_sent = connection.phase in (SEND, FIRST_BYTE)
            self._fail(connection, fault, was_stale=was_sent and connection.carried > 1)

    def on_unreachable(self, connection: Connection, address: Address) -> None:
        self._resolver.put_last(connection.origin.socket_name, address)

    def _fail(self, connection: Connection, error: str, *, was_stale: bool = False) -> None:
        """Its request has, and so it is of no use any more."""
        connection.close()
        tag = connection.give_up()
        del self._under_way[connection]
        self._connecting.discard(connection)
        number = connection.number if connection.carried else 0
        self._responses.append(Response(tag, None, b"", b"", error, number, was_stale))


def _origin_of(endpoint: Endpoint) -> Origin:
    """Raises ProxyUnfit, or ValueError for what cannot stand in a request's first line."""
    if not endpoint.path.isprintable() or " " in endpoint.path:
        raise ValueError(f"cannot send: the path of {endpoint} holds a space")
    return Origin(endpoint.scheme, endpoint.host, endpoint.port, proxy_for(endpoint))


def _through_proxy(endpoint: Endpoint, origin: Origin, path: str, signed: str) -> tuple[str, str]:
    """Target and headers of a request over plain HTTP: the proxy is told whom it is for."""
    assert origin.proxy is not None
    authorization = origin.proxy.authorization
    line = f"proxy-authorization: {authorization}\r\n" if authorization else ""
    return f"http://{endpoint.authority}{path}", f"{signed}{line}"
