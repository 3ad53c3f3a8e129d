"""Where things are measured: servers on one core, what is measured on another."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import gateway as nginx

CORES = sorted(os.sched_getaffinity(0))
MEASURED, SERVERS = {CORES[0]}, {CORES[-1]}
ROOT = Path(__file__).parents[2]
GO_PACKAGES = Path("/usr/share/gocode")
"""Where Debian puts Go libraries (``apt-get install golang-github-aws-aws-sdk-go-v2-dev``)."""

SETTINGS = {
    "REAPER_TABLE_NAME": "connections",
    "REAPER_QUOTA_RPS": "20000",
    "REAPER_QUOTA_SHARE": "1",
    "REAPER_MESSAGE_SOURCE": "none",
    "REAPER_METRICS": "none",
    "REAPER_CONFIRM_DELAY_SECONDS": "0",
    "REAPER_LOG_FORMAT": "json",
}
"""The budget is above what one core can do, and nobody waits between two strikes, so that it is the
core that is measured."""


CONNECTED_BEFORE_SECONDS = 600
"""All clients connected so long ago, by the gateway's word and by the rows of every table."""


@dataclass(frozen=True)
class Swept:
    """A ``reaper sweep`` in a process of its own, by its report and the system's account of it."""

    report: dict[str, Any]
    cpu_seconds: float
    peak_mb: float

    @property
    def rows_per_second(self) -> float:
        return float(self.report["scanned"] / self.report["seconds"])

    @property
    def cpu_us_per_row(self) -> float:
        return self.cpu_seconds / self.report["scanned"] * 1e6


class Lab:
    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._ca_file = directory / "server.pem"
        self._arrivals_file = directory / "arrivals.log"
        self._connected_at = time.time() - CONNECTED_BEFORE_SECONDS

    @contextmanager
    def gateway(self, *, counts_arrivals: bool = False) -> Iterator[str]:
        """nginx, by its URL."""
        self._arrivals_file.unlink(missing_ok=True)
        arrivals_file = self._arrivals_file if counts_arrivals else None
        with nginx.gateway(self._directory, arrivals_file, SERVERS, self._connected_at) as url:
            yield url

    @contextmanager
    def table(self, rows: int, *, gone_percent: int = 0, is_fresh: bool = False) -> Iterator[str]:
        kind = "fresh" if is_fresh else "due"
        with self._server(
            "table_api", str(rows), str(gone_percent), kind, str(self._connected_at)
        ) as port:
            yield f"http://127.0.0.1:{port}"

    @contextmanager
    def slow_gateway(self) -> Iterator[str]:
        with self._server(
            "slow_gateway", str(self._arrivals_file), str(self._connected_at)
        ) as port:
            yield f"http://127.0.0.1:{port}/_aws/execute-api/abc/prod"

    def arrivals(self) -> list[float]:
        """When requests came to the gateway that counted them, in epoch seconds."""
        return sorted(float(line.split()[0]) for line in self._arrivals_file.open())

    def asked(self) -> Counter[str]:
        """How often each connection id was asked after."""
        paths = (line.split()[1] for line in self._arrivals_file.open())
        return Counter(path.rpartition("/")[2] for path in paths)

    def sweep(self, gateway: str, table: str, **settings: str) -> Swept:
        command = [sys.executable, "-m", "reaper", "sweep", "--json"]
        output, usage = self._measured(command, self._environment(gateway, table) | settings)
        return Swept(
            json.loads(output.splitlines()[-1]),
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
        )

    def ours(self, name: str, gateway: str, table: str, count: int) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.bench.ours", name, str(count)]
        return self._result(command, self._environment(gateway, table))

    def rival(self, name: str, gateway: str, table: str, count: int) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.bench.rivals", name, gateway, table, str(count)]
        return self._result(command, self._environment(gateway, table))

    def node_probes(self, gateway: str) -> Callable[[int], dict[str, float]] | None:
        """The AWS SDK for JavaScript v3, where Node and npm are there to get it."""
        npm, node = shutil.which("npm"), shutil.which("node")
        if npm is None or node is None:
            return None
        shutil.copy(Path(__file__).with_name("probes.mjs"), self._directory)
        packages = ["@aws-sdk/client-apigatewaymanagementapi", "@smithy/node-http-handler"]
        installed = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--silent", *packages],
            cwd=self._directory,
            check=False,
        )
        if installed.returncode:
            return None
        environment = self._environment(gateway, "") | {"NODE_EXTRA_CA_CERTS": str(self._ca_file)}
        script = str(self._directory / "probes.mjs")
        return lambda count: self._result([node, script, gateway, str(count)], environment)

    def go_probes(self, gateway: str) -> Callable[[int], dict[str, float]] | None:
        """The AWS SDK for Go v2, where Go and Debian's package of the SDK are there."""
        go = shutil.which("go")
        if go is None or not (GO_PACKAGES / "src/github.com/aws/aws-sdk-go-v2").is_dir():
            return None
        program = self._directory / "probes-go"
        building = os.environ | {
            "GO111MODULE": "off",
            "GOPATH": str(GO_PACKAGES),
            "GOCACHE": str(self._directory / "go-cache"),
        }
        source = Path(__file__).with_name("probes.go")
        subprocess.run([go, "build", "-o", program, source], env=building, check=True)
        environment = self._environment(gateway, "") | {"GOMAXPROCS": str(len(MEASURED))}
        command = [str(program), gateway, str(self._ca_file)]
        return lambda count: self._result([*command, str(count)], environment)

    @contextmanager
    def worker(
        self, name: str, gateway: str, table: str, **settings: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """``reaper run``, on whichever core; its log is ``log(name)``."""
        with (self._directory / name).open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "reaper", "run"],
                env=self._environment(gateway, table) | settings,
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def log(self, name: str) -> list[dict[str, Any]]:
        """The whole lines of a worker's log."""
        lines = (self._directory / name).read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def _environment(self, gateway: str, table: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        aws = {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "REAPER_API_ENDPOINT": gateway,
            "REAPER_AUDIT_LOG": str(self._directory / "audit.jsonl"),
        }
        if table:
            aws["AWS_ENDPOINT_URL_DYNAMODB"] = table
        if self._ca_file.exists():
            aws["AWS_CA_BUNDLE"] = str(self._ca_file)
        return own | aws | SETTINGS

    def _result(self, command: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
        output, _ = self._measured(command, environment)
        result: dict[str, float] = json.loads(output.splitlines()[-1])
        return result

    def _measured(self, command: Sequence[str], environment: dict[str, str]) -> tuple[str, Any]:
        """Output and resource usage of a process that has a core to itself."""
        with (self._directory / "stderr.log").open("w") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, MEASURED),
            )
            assert process.stdout is not None
            output = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors = (self._directory / "stderr.log").read_text()[-2000:]
            raise SystemExit(f"{' '.join(command)} failed: {output[-2000:]}{errors}")
        return output, usage

    @contextmanager
    def _server(self, module: str, *arguments: str) -> Iterator[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, SERVERS),
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
