"""Whether the daemon is healthy, and /healthz, which says so over HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

log = structlog.get_logger()

INTERVALS_WITHOUT_A_SWEEP = 3

STUCK_AFTER_SECONDS = 60.0
"""A running sweep that has not moved for so long is stuck: its loop turns ten times a second."""


class Health:
    """Remembers when sweeps moved and finished. Times are of the monotonic clock."""

    def __init__(
        self, interval_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._last_finished = clock()
        self._last_moved: float | None = None

    def sweep_moves(self) -> None:
        self._last_moved = self._clock()

    def sweep_over(self, *, finished: bool) -> None:
        """``finished``: it reached its end, whatever it found; False when it failed."""
        self._last_moved = None
        if finished:
            self._last_finished = self._clock()

    @property
    def is_stuck(self) -> bool:
        """Whether a sweep hangs, which only a restart can end."""
        moved = self._last_moved
        return moved is not None and self._clock() - moved > STUCK_AFTER_SECONDS

    @property
    def is_healthy(self) -> bool:
        """Whether a sweep has finished within the last three intervals."""
        allowed = INTERVALS_WITHOUT_A_SWEEP * self._interval_seconds
        return self._clock() - self._last_finished <= allowed and not self.is_stuck

    def to_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.is_healthy,
            "seconds_since_last_sweep": round(self._clock() - self._last_finished, 1),
        }


class HealthServer:
    """Serves /healthz on its own threads: 200 when healthy, 503 when not."""

    def __init__(self, address: tuple[str, int], health: Health) -> None:
        """Raises OSError when the address cannot be bound."""

        class Handler(BaseHTTPRequestHandler):
            timeout = 5
            server_version = "reaper"
            sys_version = ""

            def do_GET(self) -> None:
                if self.path != "/healthz":
                    self.send_error(404)
                    return
                body = json.dumps(health.to_dict()).encode()
                self.send_response(200 if health.is_healthy else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are not logged: they would carry the client's address."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

        self._server = Server(address, Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
