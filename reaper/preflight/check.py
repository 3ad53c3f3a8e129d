"""Preflight: everything that a sweep will need, tried without changing anything."""

from __future__ import annotations

from collections.abc import Iterator

from reaper.aws.clients import Clients
from reaper.config.rules import configured_endpoint
from reaper.config.settings import Settings
from reaper.preflight.credentials import check_credentials
from reaper.preflight.finding import Finding
from reaper.preflight.gateway import check_endpoint
from reaper.preflight.services import check_hook, check_messages, check_metrics
from reaper.preflight.table import check_table

MAX_ENDPOINTS = 10


def check(settings: Settings, clients: Clients) -> Iterator[Finding]:
    """Try each thing in turn. What a failed one makes impossible is left out."""
    credentials = check_credentials(clients.access)
    yield credentials
    if not credentials.ok:
        return
    rows, reader = yield from check_table(settings, clients)
    for hook in clients.hooks:
        yield check_hook(hook)
    endpoints = {row.endpoint for row in rows if row.endpoint is not None}
    if configured := configured_endpoint(settings, clients.access.region):
        endpoints.add(configured)
    for endpoint in sorted(endpoints)[:MAX_ENDPOINTS]:
        yield from check_endpoint(endpoint, rows, reader, settings, clients)
    if len(endpoints) > MAX_ENDPOINTS:
        yield Finding(
            True, f"{len(endpoints)} endpoints in all, of which {MAX_ENDPOINTS} were tried"
        )
    if clients.messages is not None:
        yield check_messages(clients.messages, endpoints)
    if "cloudwatch" in settings.metrics:
        yield check_metrics(settings, clients)
    if settings.queue_url is not None:
        yield from _check_queue(settings, settings.queue_url, clients)


def _check_queue(settings: Settings, url: str, clients: Clients) -> Iterator[Finding]:
    """Imported only where there is one."""
    from reaper.aws.sqs import WorkQueue
    from reaper.config.fingerprint import fingerprint
    from reaper.core.segments import shared_name
    from reaper.preflight.queue import check_queue

    region = clients.access.region
    queue = WorkQueue(clients.access.session, region, url)
    return check_queue(queue, shared_name(region, settings.table), fingerprint())
