"""The pages of the daemon, by their paths."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Protocol

from reaper.core.report.condition import Condition, State
from reaper.telemetry.health import Health
from reaper.telemetry.web.server import Page
from reaper.telemetry.web.status import Status

REMEMBERED_SECONDS = 0.5


class Exposition(Protocol):
    """A sink that is asked for its metrics, instead of sending them."""

    @property
    def content_type(self) -> str: ...
    def exposition(self) -> bytes: ...


def site(
    status: Status, health: Health, prometheus: Exposition | None
) -> dict[str, Callable[[], Page]]:
    """``prometheus`` is None where REAPER_METRICS does not name it."""
    page = _status_page()
    numbers = Remembered(lambda: _json(status.to_dict()))
    metrics = Remembered(lambda: _metrics(prometheus))
    return {
        "/": lambda: page,
        "/status.json": numbers,
        "/healthz": lambda: _health(health.condition),
        "/metrics": metrics,
    }


class Remembered:
    """Makes a page twice a second at most, however many ask: making one takes time from sweeps."""

    def __init__(self, make: Callable[[], Page]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._page: Page | None = None
        self._made_at = 0.0

    def __call__(self) -> Page:
        with self._lock:
            if self._page is None or time.monotonic() - self._made_at > REMEMBERED_SECONDS:
                self._page, self._made_at = self._make(), time.monotonic()
            return self._page


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Page:
    return Page("application/json", json.dumps(value).encode(), status)


def _health(condition: Condition) -> Page:
    is_failing = condition.state is State.FAILING
    status = HTTPStatus.SERVICE_UNAVAILABLE if is_failing else HTTPStatus.OK
    return _json(condition.to_dict(), status)


def _metrics(prometheus: Exposition | None) -> Page:
    if prometheus is None:
        text = b"there are no metrics here: add prometheus to REAPER_METRICS\n"
        return Page("text/plain; charset=utf-8", text, HTTPStatus.NOT_FOUND)
    return Page(prometheus.content_type, prometheus.exposition())


def _status_page() -> Page:
    """One page that loads nothing, and a browser that sees to it that it does not."""
    style, script, body = (
        files("reaper.telemetry.web").joinpath(f"page.{kind}").read_text()
        for kind in ("css", "js", "html")
    )
    html = body.replace("/* page.css */", style).replace("/* page.js */", script)
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none';"
        f" form-action 'none'; frame-ancestors 'none'; style-src {_hash(style)};"
        f" script-src {_hash(script)}"
    )
    headers = (("Content-Security-Policy", policy), ("Referrer-Policy", "no-referrer"))
    return Page("text/html; charset=utf-8", html.encode(), headers=headers)


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"
