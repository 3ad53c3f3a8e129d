"""A server on loopback that says, byte for byte, what it is told to, over TLS or not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Script = Callable[["Peer"], None]
"""What happens on one connection. When it returns, that is closed."""


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self.connection = connection
        self._closing = closing

    def request(self) -> bytes:
        """The next request's head; b"" when the client has hung up."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.connection.recv(65_536)
            if not data:
                return b""
            head += data
        return head

    def say(self, *parts: bytes, pause: float = 0.0) -> None:
        for part in parts:
            self.connection.sendall(part)
            if self._closing.wait(pause) if pause else False:
                return

    def hang(self) -> None:
        """Until the client hangs up, or the test is over."""
        self.connection.settimeout(0.05)
        while not self._closing.is_set():
            try:
                if not self.connection.recv(65_536):
                    return
            except TimeoutError:
                continue

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on over TLS."""
        self.connection = context.wrap_socket(self.connection, server_side=True)


class RawServer:
    """Goes through ``scripts`` connection by connection, the last one for ever."""

    def __init__(self, *scripts: Script, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self.port = self._listener.getsockname()[1]
        self._scripts = list(scripts)
        self._closing = threading.Event()
        self.connections = 0
        self._peers: list[Peer] = []

    def __enter__(self) -> RawServer:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(5)

    def _accept(self) -> None:
        threads = []
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection, script))
                thread.start()
                threads.append(thread)
        for thread in threads:
            thread.join(5)

    def _serve(self, connection: socket.socket, script: Script) -> None:
        peer = Peer(connection, self._closing)
        self._peers.append(peer)
        with suppress(OSError):
            script(peer)
        peer.connection.close()


def says(*parts: bytes, pause: float = 0.0) -> Script:
    """Answers each request on a connection so."""

    def script(peer: Peer) -> None:
        while peer.request():
            peer.say(*parts, pause=pause)

    return script


def says_and_closes(*parts: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(*parts)

    return script


def hangs(peer: Peer) -> None:
    peer.hang()


def as_proxy(answer: bytes, context: ssl.SSLContext | None, *then: Any) -> Script:
    """Takes a CONNECT, answers it, and goes on over TLS as the origin would."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(answer)
        if context is not None:
            peer.secure(context)
            while peer.request():
                peer.say(*then)

    return script
