"""An HTTP server that slow and hostile clients cannot wear out, on threads of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from waitress.server import TcpWSGIServer
from waitress.wasyncore import dispatcher

THREADS = 2
MAX_CONNECTIONS = 50
MAX_HEADER_BYTES = 8192
MAX_CONNECTION_SECONDS = 15.0
"""From its opening to its end, whatever the client does; a request takes milliseconds."""


MAX_CLOSE_SECONDS = 1.0


class Page(NamedTuple):
    """What is answered to a GET."""

    content_type: str
    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


class HttpServer:
    """Serves pages by their paths. Requests are not logged: that would show who asks."""

    def __init__(
        self,
        address: tuple[str, int],
        pages: Mapping[str, Callable[[], Page]],
        longest_connection_seconds: float = MAX_CONNECTION_SECONDS,
    ) -> None:
        """Raises OSError when the address cannot be bound, ValueError when it is none."""
        host, port = address
        self._server = _Server(
            _application(pages, host),
            listen=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            threads=THREADS,
            connection_limit=MAX_CONNECTIONS,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_HEADER_BYTES,
            channel_timeout=longest_connection_seconds,
            cleanup_interval=1,
            ident=None,
            log_socket_errors=False,
            expose_tracebacks=False,
        )
        threading.Thread(target=self._server.run, name="http", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def close(self) -> None:
        """Listen no more, and let requests that are being answered come to their end.

        Waitress would close the pipe by which its workers wake it while they may still do so. So
        the workers end first, and each socket is closed by the thread that waits on it.
        """
        server = self._server
        server.trigger.pull_trigger(server.stop_listening)
        server.task_dispatcher.shutdown(timeout=MAX_CLOSE_SECONDS)
        if not server.task_dispatcher.threads:
            # Its thread, awake for another reason, may close the pipe before it is woken for that.
            with suppress(OSError):
                server.trigger.pull_trigger(server.trigger.close)


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    def maintenance(self, now: float) -> None:
        """Waitress itself would wait for ever for a client that sends a byte now and then."""
        for channel in self.active_channels.values():
            if channel.creation_time < now - self.adj.channel_timeout:
                channel.will_close = True

    def stop_listening(self) -> None:
        dispatcher.close(self)


def _application(pages: Mapping[str, Callable[[], Page]], bound_host: str) -> Any:
    """The WSGI application (PEP 3333)."""

    def answer(environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_own_host(environ.get("HTTP_HOST", ""), bound_host):
            page = _page(pages, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        else:
            page = _plain(HTTPStatus.FORBIDDEN, _FOREIGN_HOST)
        start_response(
            f"{page.status.value} {page.status.phrase}",
            [
                ("Content-Type", page.content_type),
                ("Content-Length", str(len(page.body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                *page.headers,
            ],
        )
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else page.body]

    return answer


_FOREIGN_HOST = (
    "this is not the host that was asked for: use its address, or bind it to that name with"
    " REAPER_HTTP_BIND=NAME:PORT"
)


def is_own_host(header: str, bound_host: str) -> bool:
    """Whether a Host header may be meant for us.

    A web page elsewhere can have its own name lead to a loopback address and then read what
    answers there (DNS rebinding). It has to use a name: addresses, our own names, and none, as
    HTTP/1.0 has it, are fine.
    """
    if not header:
        return True
    try:
        host = urlsplit(f"//{header}").hostname or ""
        if host in ("localhost", bound_host.lower(), socket.gethostname().lower()):
            return True
        ip_address(host)
    except ValueError:
        return False
    return True


def _page(pages: Mapping[str, Callable[[], Page]], method: str, path: str) -> Page:
    if method not in ("GET", "HEAD"):
        return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only")
    if path not in pages:
        return _plain(HTTPStatus.NOT_FOUND, f"there are: {' '.join(pages)}")
    return pages[path]()


def _plain(status: HTTPStatus, text: str) -> Page:
    return Page("text/plain; charset=utf-8", f"{text}\n".encode(), status)
