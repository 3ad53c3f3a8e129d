"""The reaper as a process of its own, forked from one that has imported everything already.

A cold start takes 0.7 s, most of it for imports, which prove nothing in most tests. The fork runs
``reaper.__main__`` from its first line, with its own arguments, environment and files.

    python -m tests.support.preloaded SOCKET     # the process that is forked
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from reaper.cli import COMMANDS

PRELOADED = (
    "reaper.cli",
    *(f"reaper.commands.{command}" for command in COMMANDS),
    "reaper.aws.sqs",
    "reaper.preflight.queue",
    "reaper.schedule.shared",
    "reaper.telemetry.sinks.cloudwatch",
    "reaper.telemetry.sinks.emf",
    "reaper.telemetry.sinks.prometheus",
)


class Process:
    """As ``subprocess.Popen``, as far as tests need it."""

    def __init__(
        self, arguments: list[str], env: dict[str, str], stdout: IO[Any], stderr: IO[Any]
    ) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(_server())
        request = json.dumps({"arguments": arguments, "environment": env, "directory": os.getcwd()})
        head = len(request.encode()).to_bytes(8)
        socket.send_fds(self._connection, [head], [stdout.fileno(), stderr.fileno()])
        self._connection.sendall(request.encode())
        self._lines = self._connection.makefile("r")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("reaper", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        self._lines.close()
        self._connection.close()

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._connection, selectors.EVENT_READ)
                if waiting.select(seconds):
                    self.returncode = int(self._lines.readline())
                    self._lines.close()
                    self._connection.close()
        return self.returncode


_starting = threading.Lock()


def _server() -> str:
    """Start the process that is forked, once; returns the path of its socket."""
    with _starting:
        return _start()


@lru_cache
def _start() -> str:
    path = str(Path(tempfile.mkdtemp()) / "preloaded")
    process = subprocess.Popen([sys.executable, "-m", __name__, path])
    atexit.register(process.kill)
    while not Path(path).exists():
        assert process.poll() is None, "it has ended at once"
        time.sleep(0.01)
    return path


def serve(path: str) -> None:
    """Fork for each request; returns in the fork only, which then is the reaper."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    listener.listen(64)
    os.rename(path + ".new", path)
    with selectors.DefaultSelector() as events:
        events.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is listener:
                    connection = listener.accept()[0]
                    head, files, _, _ = socket.recv_fds(connection, 8, 2)
                    request = json.loads(_read(connection, int.from_bytes(head)))
                    pid = os.fork()
                    if pid == 0:
                        listener.close()
                        connection.close()
                        _become(request, files)
                        return
                    for file in files:
                        os.close(file)
                    connection.sendall(f"{pid}\n".encode())
                    events.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
                else:
                    pid, connection = key.data
                    events.unregister(key.fileobj)
                    os.close(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    try:
                        connection.sendall(f"{code}\n".encode())
                    except OSError:
                        continue  # nobody waits for it any more
                    finally:
                        connection.close()


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return data


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Arguments, environment, directory and files of the process that was asked for."""
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["reaper", *request["arguments"]]


if __name__ == "__main__":
    for module in PRELOADED:
        import_module(module)
    from reaper.__main__ import main

    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    gc.collect()
    gc.freeze()  # so that no fork has to look at, and so to copy, what all have in common
    serve(sys.argv[1])
    try:
        code = main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    threading._shutdown()  # wait for threads as the interpreter does, and spare its own dismantling
    sys.stdout.flush()
    os._exit(code)
