"""`reaper health`: asks the daemon on this machine how it is, for container health checks."""

from __future__ import annotations

import argparse
import urllib.error
import urllib.request
from typing import Any

from reaper.commands.exit_codes import DONE, fail
from reaper.commands.prepare import read_settings


def add_to(subparsers: Any) -> None:
    health = subparsers.add_parser(
        "health",
        help="exit code 0 if the daemon on this machine is healthy",
        description="Asks /healthz at REAPER_HTTP_BIND, for container health checks.",
    )
    health.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    settings, _session = read_settings()
    if settings.http_bind is None:
        return fail("REAPER_HTTP_BIND is empty, so there is no /healthz to ask")
    host, port = settings.http_bind
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(url, timeout=5) as response:
            print(response.read().decode())
        return DONE
    except urllib.error.HTTPError as error:
        return fail(f"not healthy: {error.read().decode()}")
    except OSError as error:
        return fail(f"no daemon answers at {url}: {error}")
