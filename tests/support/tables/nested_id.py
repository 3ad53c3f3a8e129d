"""The id is in a map on the row of a device that stays."""

from __future__ import annotations

KEYS = ["deviceId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "ws.connection-id", "EVICT_ACTION": "clear"}


def rows(c):
    return [
        {"deviceId": f"d{c.number}", "model": "x1", "ws": {"connection-id": c.id, "node": "n1"}}
    ]


def left(c):
    return [{"deviceId": f"d{c.number}", "model": "x1", "ws": {"node": "n1"}}]
