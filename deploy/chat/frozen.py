"""A client in a process of its own, which can therefore be frozen while its socket stays open.

python -m deploy.chat.frozen URL TOKEN
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

from deploy.chat.clients import ChatClient

ROOT = Path(__file__).parents[2]


class FrozenClient:
    """Runs the client and freezes it as soon as it is connected; a context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.chat.frozen", url, token],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> int:
        """Wake it up to find its socket closed; returns how many heartbeats it had slept through.

        Raises TimeoutExpired when nobody has closed its socket.
        """
        self._process.send_signal(signal.SIGCONT)
        out, _ = self._process.communicate(timeout=10)
        return int(json.loads(out)["heartbeats"])

    def __enter__(self) -> FrozenClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


async def _stay(url: str, token: str) -> None:
    client = await ChatClient.open(url, token)
    print("connected", flush=True)
    await client.closed()
    print(json.dumps({"heartbeats": client.heartbeats}), flush=True)


if __name__ == "__main__":
    asyncio.run(_stay(*sys.argv[1:]))
