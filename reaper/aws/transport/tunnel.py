"""The way through a proxy to a host that speaks TLS: what it is asked, and what it says to that."""

from __future__ import annotations

from reaper.aws.transport.proxies import Proxy
from reaper.core.rows.endpoint import bracketed

MAX_ANSWER_BYTES = 16_384


class NoTunnel(Exception):
    """The proxy does not let it through. The message says why, in its own words if it has any."""


class Tunnel:
    """One CONNECT, from its ``request`` to the end of the answer's headers."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        target = f"{bracketed(host)}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        self.request = "\r\n".join([*lines, "", ""]).encode()
        self._heard = b""

    def hear(self, data: bytes) -> bool:
        """Whether the way is open, after more of the answer; no data ends it. Raises NoTunnel."""
        self._heard += data
        head, end, _ = self._heard.partition(b"\r\n\r\n")
        if not end and data and len(head) < MAX_ANSWER_BYTES:
            return False
        status = head.split(b"\r\n")[0].decode("latin-1")
        if not end or not status.startswith("HTTP/"):
            raise NoTunnel("it does not answer as a proxy does")
        if status[9:12] == "407":
            raise NoTunnel(f"it wants another user or password: {status[9:].strip()}")
        if not status[9:].startswith("2"):
            raise NoTunnel(f"it refused: {status[9:].strip()}")
        return True
