"""A gateway that takes 50 ms for each answer.

``python -m tests.bench.slow_gateway ARRIVALS_FILE CONNECTED_AT`` prints its port, serves until
SIGTERM, and then writes down when each request came, in epoch seconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from tests.bench.gateway import ACTIVE_FOR_SECONDS, iso_of

DELAY_SECONDS = 0.05
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


class Connection(asyncio.Protocol):
    """As much of HTTP/1.1 as one request after another on a connection needs."""

    def __init__(self, arrivals: list[float], answer: bytes) -> None:
        self._arrivals = arrivals
        self._said = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._arrivals.append(time.time())
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._answer)

    def _answer(self) -> None:
        self._transport.write(self._said)


async def serve(arrivals_file: Path, connected_at: float) -> None:
    arrivals: list[float] = []
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    moments = (connected_at, time.time() + ACTIVE_FOR_SECONDS)
    body = b'{"connectedAt":"%s","lastActiveAt":"%s"}' % tuple(
        iso_of(one).encode() for one in moments
    )
    answer = _ANSWER % (len(body), body)
    server = await loop.create_server(
        lambda: Connection(arrivals, answer), "127.0.0.1", 0, backlog=1000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    arrivals_file.write_text("\n".join(map(str, arrivals)))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
