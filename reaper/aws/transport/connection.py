"""One connection, over a socket that never blocks. Each of its phases has a name, each fault a
sentence.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any, Final, NamedTuple, Protocol

from reaper.aws.transport.parser import AnswerParser, BadAnswer
from reaper.aws.transport.proxies import Proxy
from reaper.aws.transport.resolver import Address
from reaper.aws.transport.trust import Trust
from reaper.aws.transport.tunnel import NoTunnel, Tunnel

READ_BYTES = 65_536
TLS_RECORD_BYTES = 16_384
"""A read that brings as much may not have brought all there is."""

TLS_FAILS = "TLS fails"
PROXY = "proxy"
"""How faults begin that have nothing to do with the host that was to be reached."""

MIN_CONNECT_SECONDS = 2.0
"""Before the next address of a name is tried, one gets an equal share of the time that is left,
and no less than this, which is what Go's dialer does too."""


class Phase:
    """What is under way, for a person who reads that nothing came of it."""

    RESOLVE = "the name of the host to be resolved"
    CONNECT = "the connection"
    PROXY = "the proxy to let it through"
    TLS = "the TLS handshake"
    SEND = "the request to be taken"
    FIRST_BYTE = "the first byte of the answer"
    BODY = "the rest of the answer"
    IDLE = "a request"


# Where something is done for every request: to look one up in its class takes as long as a call.
SEND: Final = Phase.SEND
FIRST_BYTE: Final = Phase.FIRST_BYTE
BODY: Final = Phase.BODY
IDLE: Final = Phase.IDLE


class Origin(NamedTuple):
    """To whom a connection leads."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None

    @property
    def socket_name(self) -> tuple[str, int]:
        """Host and port of who is connected to: the proxy where there is one."""
        return (self.proxy.host, self.proxy.port) if self.proxy else (self.host, self.port)


class Owner(Protocol):
    """Is told of what happens on a connection."""

    def on_connected(self, connection: Connection) -> None:
        """One of its addresses has answered."""

    def on_answer(self, connection: Connection, tag: Any) -> None:
        """The answer to the request of that tag is complete; it is in ``parser``."""

    def on_broken(self, connection: Connection, fault: str) -> None:
        """It is closed, and ``fault`` says why."""

    def on_unreachable(self, connection: Connection, address: Address) -> None:
        """An address did not answer, and the next one is tried."""


class Connection:
    """To one origin, for one request at a time. Raises nothing: what goes wrong ends it."""

    def __init__(
        self,
        number: int,
        origin: Origin,
        trust: Trust,
        selector: BaseSelector,
        owner: Owner,
        max_body_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self.number = number
        """Which of all that were ever opened it is."""
        self.origin = origin
        self.parser = AnswerParser(max_body_bytes)
        self.carried = 0
        """Requests so far."""
        self.phase = Phase.RESOLVE
        self.is_open = False
        self.is_busy = False
        """Whether it carries a request, or is opened for one."""
        self.idle_since = 0.0
        """Kept by the pool."""
        self.next_address_at = 0.0
        """When the next address is tried, if this one has not answered by then."""
        self._trust = trust
        self._selector = selector
        self._owner = owner
        self._clock = clock
        self._addresses: list[Address] = []
        self._deadline = 0.0
        self._socket: Any = None
        self._receive: Any = None
        self._go_on: Callable[[Connection], None] = Connection._on_connected
        """What is to be done when the socket is ready."""
        self._events = 0
        self._message = b""
        self._tag: Any = None
        self._outgoing = b""
        self._tunnel: Tunnel | None = None

    def open(self, addresses: Sequence[Address], deadline: float) -> None:
        """Connect to the first of these that answers, by the deadline."""
        self.phase = Phase.CONNECT
        self._addresses = list(addresses)
        self._deadline = deadline
        self._connect()

    def try_next_address(self) -> None:
        """The one that is tried has had its time."""
        self._unreachable("it does not answer")

    def carry(self, message: bytes, tag: Any) -> None:
        """Send a request, marked with ``tag``, now or as soon as the connection is there.

        What comes of that is told to the owner, now or later.
        """
        self.is_busy, self._message, self._tag = True, message, tag
        if self.phase is IDLE:
            self._send()

    def give_up(self) -> Any:
        """It carries its request no more. Returns the tag of that."""
        self.is_busy = False
        return self._tag

    def _send(self) -> None:
        self.parser.reset()
        self.carried += 1
        self.phase = SEND
        self._outgoing = self._message
        try:
            self._write()
        except OSError as error:
            self._on_fault(error)

    def on_event(self) -> None:
        """The socket is ready for something, or was before it was closed a moment ago."""
        if not self.is_open:
            return
        try:
            self._go_on(self)
        except (OSError, BadAnswer) as error:
            self._on_fault(error)

    def close(self) -> None:
        """For good. Nothing is left that would wait for the garbage collector."""
        self._close_socket()
        self.parser.release()

    def _close_socket(self) -> None:
        if not self.is_open:
            return
        self._watch(0)
        self._socket.close()
        self.is_open = False

    # Before the first request

    def _connect(self) -> None:
        family, address = self._addresses[0]
        now = self._clock()
        share = (self._deadline - now) / len(self._addresses)
        self.next_address_at = now + max(MIN_CONNECT_SECONDS, share)
        try:
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self.is_open, self._go_on = True, Connection._on_connected
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(address)
        except OSError as error:
            self._break(f"cannot connect: {_words(error)}")
            return
        if code in (0, errno.EINPROGRESS):
            self._watch(EVENT_WRITE)
        else:
            self._unreachable(os.strerror(code))

    def _on_connected(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._unreachable(os.strerror(code))
            return
        self._owner.on_connected(self)
        if self.origin.proxy and self.origin.scheme == "https":
            self.phase, self._go_on = Phase.PROXY, Connection._pass_proxy
            self._tunnel = Tunnel(self.origin.proxy, self.origin.host, self.origin.port)
            self._outgoing = self._tunnel.request
            self._pass_proxy()
        else:
            self._begin_tls()  # for plain HTTP, requests tell a proxy themselves whom they are for

    def _unreachable(self, why: str) -> None:
        """Go on with the next address, if there is one."""
        self._close_socket()
        address = self._addresses.pop(0)
        self._owner.on_unreachable(self, address)
        if self._addresses:
            self._connect()
            return
        where = f"{address[1][0]}:{address[1][1]}"
        if self.origin.proxy:
            self._break_at_proxy(f"cannot connect to {where}: {why}")
        else:
            self._break(f"cannot connect to {self.origin.host} at {where}: {why}")

    def _break_at_proxy(self, why: str) -> None:
        assert self.origin.proxy is not None
        variable = self.origin.proxy.variable
        self._break(
            f"{PROXY} {self.origin.proxy}: {why}: correct {variable}, or name"
            f" {self.origin.host} in NO_PROXY"
        )

    def _pass_proxy(self) -> None:
        assert self._tunnel is not None
        if self._outgoing:
            self._write()
            return
        try:
            is_open = self._tunnel.hear(self._socket.recv(READ_BYTES))
        except NoTunnel as error:
            self._break_at_proxy(str(error))
            return
        if is_open:
            self._begin_tls()

    def _begin_tls(self) -> None:
        if self.origin.scheme == "http":
            self._receive = self._socket.recv
            self._become_idle()
            return
        self.phase, self._go_on = Phase.TLS, Connection._shake_hands
        self._watch(0)
        try:
            self._socket = self._trust.context.wrap_socket(
                self._socket,
                server_hostname=self.origin.host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        except (OSError, ValueError) as error:
            self._break(f"cannot connect: {_words(error)}")
            return
        self._shake_hands()

    def _shake_hands(self) -> None:
        self._socket.do_handshake()
        self._receive = self._socket.read
        self._become_idle()

    def _become_idle(self) -> None:
        """Open, and so ready for the request that it was opened for."""
        self.phase, self._go_on = IDLE, Connection._exchange_bytes
        self._watch(EVENT_READ)
        self._send()

    # Requests and answers

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except (BlockingIOError, ssl.SSLWantWriteError):
            sent = 0
        if sent < len(self._outgoing):
            self._outgoing = self._outgoing[sent:]
            self._watch(EVENT_READ | EVENT_WRITE)
            return
        self._outgoing = b""
        if self._events != EVENT_READ:
            self._watch(EVENT_READ)
        if self.phase is SEND:
            self.phase = FIRST_BYTE

    def _exchange_bytes(self) -> None:
        if self._outgoing:
            self._write()
            if self._outgoing:
                return
        data = self._receive(READ_BYTES)
        if not data:
            self._on_end()
            return
        if not self.is_busy:
            self._break("it was closed while nobody used it")
            return
        self.phase = BODY
        parser = self.parser
        parser.feed(data)
        while not parser.is_complete and len(data) >= TLS_RECORD_BYTES:
            data = self._receive(READ_BYTES)
            if not data:
                self._on_end()
                return
            parser.feed(data)
        if parser.is_complete:
            self._complete()

    def _complete(self) -> None:
        self.phase, self.is_busy = IDLE, False
        if not self.parser.may_keep_alive or self.parser.is_overfull:
            self.close()
        self._owner.on_answer(self, self._tag)

    def _on_end(self, *, has_goodbye: bool = True) -> None:
        """The server has closed the connection; over TLS that means little without a goodbye."""
        if self.phase is BODY and has_goodbye and self.parser.end():
            self._complete()
        elif self.phase is BODY:
            self._break("connection broke: it was closed in the middle of an answer")
        else:
            self._break("connection broke: it was closed before an answer began")

    def _on_fault(self, error: OSError | BadAnswer) -> None:
        """What a step has met: often only that the socket is not ready for it yet."""
        match error:
            case BlockingIOError() | ssl.SSLWantReadError():
                self._watch(EVENT_READ)
            case ssl.SSLWantWriteError():
                self._watch(EVENT_READ | EVENT_WRITE)
            case ssl.SSLEOFError() if self.phase is Phase.TLS:
                self._break(f"{TLS_FAILS}: the connection was closed during the handshake")
            case ssl.SSLEOFError():
                self._on_end(has_goodbye=False)
            case ssl.SSLError():
                self._break(self._tls_fault(error))
            case BadAnswer():
                self._break(f"connection broke: the answer cannot be read, {error}")
            case _:
                why = _words(error)
                self._break(f"connection broke while waiting for {self.phase}: {why}")

    def _tls_fault(self, error: ssl.SSLError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{TLS_FAILS}: certificate verify failed: {error.verify_message}"
                f" (of {self.origin.host}; trusted are {self._trust})"
            )
        return f"{TLS_FAILS}: {error.reason or error} (with {self.origin.host})"

    def _break(self, fault: str) -> None:
        self.close()
        self._owner.on_broken(self, fault)

    def _watch(self, events: int) -> None:
        """Be told of these events, and of no others."""
        if events == self._events:
            return
        if not events:
            self._selector.unregister(self._socket)
        elif not self._events:
            self._selector.register(self._socket, events, self)
        else:
            self._selector.modify(self._socket, events, self)
        self._events = events


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
