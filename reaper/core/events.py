"""What the application is told of a connection that is reaped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reaper.core.model import Zombie
from reaper.core.moments import iso

HOOK_BATCH = 20
"""The most zombies that a hook is given at a time."""

CLOSED_ABNORMALLY = 1006
"""RFC 6455: what is reported when a socket went without a close frame."""

EVENT_SOURCE = "apigw-reaper"
EVENT_DETAIL_TYPE = "WebSocket Connection Reaped"
EVENT_VERSION = "1"


def disconnect_event(zombie: Zombie, now: float, request_id: str) -> dict[str, Any]:
    """The event with which API Gateway should have called the ``$disconnect`` route.

    Of its shape, and marked by ``"synthetic": true``. What nobody knows any more is left out: the
    authorizer's context and the client's address. ``apiId`` and ``stage`` are null behind a custom
    domain, which does not tell them.
    """
    row, endpoint = zombie.row, zombie.row.endpoint
    assert endpoint is not None, "a foreign row is never evicted"
    context = {
        "routeKey": "$disconnect",
        "eventType": "DISCONNECT",
        "messageDirection": "IN",
        "disconnectStatusCode": CLOSED_ABNORMALLY,
        "disconnectReason": f"reaped as a zombie: {zombie.reason.value}",
        "connectionId": row.connection_id,
        "apiId": endpoint.api_id,
        "stage": endpoint.stage,
        "domainName": endpoint.authority,
        "requestId": request_id,
        "extendedRequestId": request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": _milliseconds(now),
        "identity": {},
    }
    if row.connected_at is not None:
        context["connectedAt"] = _milliseconds(row.connected_at)
    return {
        "headers": {"Host": endpoint.authority},
        "multiValueHeaders": {"Host": [endpoint.authority]},
        "requestContext": context,
        "isBase64Encoded": False,
        "synthetic": True,
    }


def eviction_event(zombie: Zombie, table: str, now: float) -> dict[str, Any]:
    """The ``detail`` of the EventBridge event. Times are ISO 8601, or null."""
    row, endpoint = zombie.row, zombie.row.endpoint
    assert endpoint is not None, "a foreign row is never evicted"
    return {
        "version": EVENT_VERSION,
        "connectionId": row.connection_id,
        "reason": zombie.reason.value,
        "endpoint": str(endpoint),
        "apiId": endpoint.api_id,
        "stage": endpoint.stage,
        "domainName": endpoint.authority,
        "connectedAt": iso(row.connected_at),
        "lastSeenAt": iso(row.last_seen_at),
        "reapedAt": iso(now),
        "tableName": table,
        "key": row.key,
    }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
