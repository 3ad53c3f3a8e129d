"""A management API on a loopback socket that answers as it is told to, lies and faults included."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from reaper.core.rows.endpoint import Endpoint

Behaviour = Callable[["_Handler"], None]


def answers(status: int, body: Any = b"", error_type: str = "") -> Behaviour:
    def behave(handler: _Handler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        if error_type:
            handler.send_header("x-amzn-ErrorType", error_type)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def alive(handler: _Handler) -> None:
    """Connected ten minutes before this gateway was made, and active ten seconds before."""
    made_at = handler.server.gateway.made_at
    told = {"connectedAt": _iso(made_at - 600), "lastActiveAt": _iso(made_at - 10)}
    answers(200, told)(handler)


def idle(handler: _Handler) -> None:
    """The same, and silent ever since."""
    connected_at = _iso(handler.server.gateway.made_at - 600)
    answers(200, {"connectedAt": connected_at, "lastActiveAt": connected_at})(handler)


gone = answers(410, b"{not json", "GoneException")
denied = answers(403, {"message": "User is not authorized"}, "AccessDeniedException")
wrong_stage = answers(403, {"message": "Forbidden"}, "ForbiddenException")
malformed_id = answers(400, {"message": "Invalid connectionId"}, "BadRequestException")
throttled = answers(429, {"message": "Too Many Requests"}, "LimitExceededException")
throttled_table = answers(400, {"__type": "x#ProvisionedThroughputExceededException"})
broken = answers(500, {"message": "Internal server error"})


def hangs(handler: _Handler) -> None:
    """Says nothing until the client hangs up."""
    handler.connection.settimeout(30)
    if handler.connection.recv(1) == b"":
        handler.server.hung_up.set()
    handler.close_connection = True


def resets(handler: _Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def truncates(handler: _Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 410 Gone\r\nContent-Length: 100\r\n\r\n{")
    handler.close_connection = True


def speaks_garbage(handler: _Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True


def answers_then_closes(handler: _Handler) -> None:
    """Without saying ``Connection: close``: the client finds out the hard way."""
    alive(handler)
    handler.close_connection = True


class FaultyGateway:
    """Serves @connections; a context manager.

    ``behaviours`` maps connection ids to what happens to requests for them; a list is gone
    through request by request, its last one for ever. Every other id gets ``default``.
    """

    def __init__(
        self,
        behaviours: dict[str, Behaviour | list[Behaviour]] | None = None,
        default: Behaviour = alive,
        ssl_context: Any = None,
    ) -> None:
        self.behaviours = behaviours or {}
        self.default = default
        self.made_at = time.time()
        self.requests: list[tuple[float, str, str]] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gateway = self
        self._scheme = "http"
        if ssl_context is not None:
            self._scheme = "https"
            self._server.socket = ssl_context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port

    @property
    def endpoint(self) -> Endpoint:
        host = "localhost" if self._scheme == "https" else "127.0.0.1"
        return Endpoint(self._scheme, host, self.port, "/prod", "us-east-1", "abc123", "prod")

    @property
    def url(self) -> str:
        return str(self.endpoint)

    @property
    def connections_opened(self) -> int:
        return self._server.connections_opened

    def is_hung_up_on(self, within_seconds: float) -> bool:
        """Whether a client closed a connection on which it had no answer."""
        return self._server.hung_up.wait(within_seconds)

    def asked(self, method: str | None = None) -> Counter[str]:
        """How often each connection id was asked after."""
        with self._lock:
            return Counter(name for _, verb, name in self.requests if method in (None, verb))

    def take(self, method: str, connection_id: str) -> Behaviour:
        with self._lock:
            self.requests.append((time.monotonic(), method, connection_id))
            behaviour = self.behaviours.get(connection_id, self.default)
            if isinstance(behaviour, list):
                return behaviour.pop(0) if len(behaviour) > 1 else behaviour[0]
            return behaviour

    def __enter__(self) -> FaultyGateway:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    gateway: FaultyGateway

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.hung_up = threading.Event()
        self.connections_opened = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections_opened += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        connection_id = unquote(self.path.rpartition("/")[2])
        self.server.gateway.take(self.command, connection_id)(self)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        pass
