"""`reaper health`: asks the daemon on this machine how it is, for container health checks."""

from __future__ import annotations

import argparse
import urllib.error
import urllib.request
from typing import Any

from reaper.commands.exit_codes import DONE, fail
from reaper.config.environment import load_http_bind


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
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(url, timeout=5) as response:
            print(response.read().decode())
        return DONE
    except urllib.error.HTTPError as error:
        return fail(f"failing: {error.read().decode()}")
    except OSError as error:
        return fail(f"no daemon answers at {url}: {error}")
