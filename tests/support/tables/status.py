"""Closed connections stay, told by a status."""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"ROW_FILTER": "status=connected"}


def rows(c):
    return [{"connectionId": c.id, "status": "connected", "updatedAt": c.ms}]


def others():
    ids = [f"Hist{n:05}ABcdEF=" for n in range(6)]
    return [{"connectionId": one, "status": "disconnected"} for one in ids]
