"""`reaper health`: asks the daemon on this machine how it is, for container health checks."""

from __future__ import annotations

import argparse
import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

from reaper.commands.exit_codes import DONE, FAILED, fail
from reaper.config.environment import load_http_bind
from reaper.core.report.condition import State

PATIENCE_SECONDS = 5.0
MAX_BYTES = 65_536


def add_to(subparsers: Any) -> None:
    health = subparsers.add_parser(
        "health",
        help="how the daemon on this machine is; exit code 0 unless it is failing",
        description="Asks /healthz at REAPER_HTTP_BIND how the daemon is, and prints its state,"
        " since when, why, and what to do. For container health checks; it needs no other"
        " settings. Exit code 1 if it is failing, or nobody answers.",
    )
    health.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    bind = load_http_bind()
    if bind is None:
        return fail("REAPER_HTTP_BIND is empty, so there is no /healthz to ask")
    host, port = bind
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    try:
        condition = _ask(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return fail(f"no daemon answers at {url}: {error}")
    print(json.dumps(condition))
    return DONE if condition["state"] != "failing" else FAILED


def _ask(url: str) -> dict[str, Any]:
    """The condition. Raises OSError or HTTPException; ValueError where something else answers."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    try:
        response = without_proxy.open(url, timeout=PATIENCE_SECONDS)
    except urllib.error.HTTPError as error:
        response = error  # 503 while it is failing
    body = b""
    with response:
        while time.monotonic() < give_up_at and len(body) < MAX_BYTES:
            piece = response.read1(MAX_BYTES - len(body))
            if not piece:
                break
            body += piece
    told = json.loads(body.decode())
    if not isinstance(told, dict) or told.get("state") not in set(State):
        raise ValueError("what answers there is not reaper")
    return told
