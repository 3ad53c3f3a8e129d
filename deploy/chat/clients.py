"""Chat clients on real WebSockets, for the demo and the tests."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

HEARTBEAT = {"type": "ping"}
CONNECT_AT_ONCE = 10
OPEN_SECONDS = 60
CLOSE_SECONDS = 1
"""How long a goodbye may take; stand-ins are slow to hang up."""


@dataclass(eq=False)
class ChatClient:
    """One user with one socket, who answers heartbeats and counts what arrives."""

    socket: ClientConnection
    pong_after_seconds: float = 0.0
    heartbeats: int = 0
    received: int = 0
    sent: int = 0
    is_open: bool = True
    _reader: asyncio.Task[None] | None = field(default=None, repr=False)

    @classmethod
    async def open(cls, url: str, token: str, room: str = "lobby") -> ChatClient:
        # The library's own pings are off: API Gateway's clients rely on messages.
        socket = await connect(
            f"{url}?token={token}&room={room}",
            ping_interval=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
        )
        client = cls(socket)
        client._reader = asyncio.create_task(client._read())
        return client

    async def say(self, text: str) -> None:
        self.sent += 1
        await self._send({"action": "sendMessage", "text": text})

    def vanish(self) -> None:
        """Be gone without a goodbye, as a phone in a tunnel is."""
        self.is_open = False
        self.socket.transport.abort()

    async def closed(self) -> None:
        """Wait until the socket is closed, by whomever."""
        assert self._reader is not None
        await self._reader

    async def leave(self) -> None:
        self.is_open = False
        await self.socket.close()

    async def _send(self, message: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(message))

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                if json.loads(frame) == HEARTBEAT:
                    self.heartbeats += 1
                    await asyncio.sleep(self.pong_after_seconds)
                    with suppress(ConnectionClosed):  # more may have come before the close
                        await self._send({"action": "pong"})
                else:
                    self.received += 1
        except ConnectionClosed:
            pass
        finally:
            self.is_open = False


async def open_clients(url: str, tokens: list[str], room: str = "lobby") -> list[ChatClient]:
    """Connect one client per token, a few at a time."""
    turn = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def one(token: str) -> ChatClient:
        async with turn:
            return await ChatClient.open(url, token, room)

    return list(await asyncio.gather(*(one(token) for token in tokens)))
