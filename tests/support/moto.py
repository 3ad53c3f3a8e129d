"""moto's DynamoDB: a table API by other people than the stand-in's, on a port of its own."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3

from deploy.chat.standin import REGION, free_port
from tests.support.waiting import eventually

KEY = "test"


class Moto:
    """A server process; a context manager. It is a ``StandIn`` for tables only."""

    def __init__(self, directory: Path) -> None:
        self._log_file = directory / "moto.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes any AWS client talk to it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "NO_PROXY": "127.0.0.1",
        }

    def session(self) -> boto3.Session:
        return boto3.Session(KEY, KEY, region_name=REGION)

    def __enter__(self) -> Moto:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        eventually(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5):
                return True
        except OSError:
            return False
