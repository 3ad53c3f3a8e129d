"""A TTL of three hours is the only time.

Source: amcquistan/nebcode-cdk, lib/websocket-handlers/connect.ts.
"""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"CONNECTED_AT_ATTRIBUTE": "ttl", "CONNECTED_AT_OFFSET_SECONDS": "-10800"}


def rows(c):
    return [{"connectionId": c.id, "ttl": c.seconds + 10800}]
