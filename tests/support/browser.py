"""A real browser without a window: headless Chromium, spoken to over its DevTools protocol."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.installed import CHROMIUM

START_SECONDS = 30


class Tab:
    """One page, and everything that it asked for and complained of since it was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.requested: list[str] = []
        """URLs."""
        self.complaints: list[Any] = []
        """Console errors and warnings, exceptions, violations of the content policy."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str, width: int = 1200, *, dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def text(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText"))

    def screenshot(self, file: Path) -> None:
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> Any:
        call_id = next(self._ids)
        self._socket.send(json.dumps({"id": call_id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=20))
            if message.get("id") == call_id:
                assert "error" not in message, message
                return message["result"]
            self._take(message["method"], message["params"])

    def _take(self, event: str, params: Any) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif (
            event == "Runtime.exceptionThrown"
            or (event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"))
            or (event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"))
        ):
            self.complaints.append(params)


@contextmanager
def browser_tab() -> Iterator[Tab]:
    """A tab of a browser that knows nobody, and is gone afterwards."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(
        prefix="browser-",
        ignore_cleanup_errors=True,  # its helpers end a moment later, and still write
    ) as profile:
        process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
                *("--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_debugger(Path(profile) / "DevToolsActivePort"), max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
            process.wait()


def _debugger(port_file: Path) -> str:
    give_up_at = time.monotonic() + START_SECONDS
    while not (port_file.exists() and port_file.read_text().strip()):
        assert time.monotonic() < give_up_at, "the browser did not start"
        time.sleep(0.05)
    port = port_file.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as tabs:
        return next(tab["webSocketDebuggerUrl"] for tab in json.load(tabs) if tab["type"] == "page")
