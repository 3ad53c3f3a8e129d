"""Runs ministack, the local stand-in for AWS, as a process of its own for as long as needed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

import boto3

REGION = "us-east-1"
START_SECONDS = 60
ROOT_KEY = "test"
"""Ministack lets this key do anything, also where it verifies signatures."""


class StandInError(Exception):
    """The stand-in did not start. The message says why."""


class StandIn:
    """A ministack on a free port of the loopback interface; a context manager."""

    def __init__(self, directory: Path, *, auth: bool = False) -> None:
        """``directory`` takes its files. With ``auth`` it verifies signatures and enforces IAM."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = directory / "ministack.log"
        self._directory = directory
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes any AWS client talk to this stand-in, as its root."""
        return {
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def management_endpoint_base(self) -> str:
        """The URL under which it serves ``{api}/{stage}``, for sockets and @connections."""
        return f"{self.url}/_aws/execute-api"

    def session(self) -> boto3.Session:
        """A boto3 session for it. The clients find it by AWS_ENDPOINT_URL."""
        return boto3.Session(ROOT_KEY, ROOT_KEY, region_name=REGION)

    def __enter__(self) -> StandIn:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment |= {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": str(self._auth).lower(),
            "TMPDIR": str(self._directory),
            "S3_DATA_DIR": str(self._directory / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        } | self.environment
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and the Lambda processes that it started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _kill_group(self._process.pid)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                raise StandInError(f"ministack ended at once:\n{self.log_file.read_text()}")
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).close()  # noqa: S310
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise StandInError(f"ministack did not answer at {self.url}; see {self.log_file}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, 9)
    except ProcessLookupError:
        return
