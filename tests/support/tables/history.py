"""Closed connections stay, with the time of their end."""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"ROW_FILTER": "!disconnectedAt"}


def rows(c):
    return [{"connectionId": c.id, "connectedAt": c.ms}]


def others():
    ids = [f"Hist{n:05}ABcdEF=" for n in range(6)]
    return [
        {"connectionId": one, "connectedAt": 1790000000000, "disconnectedAt": 1790000900000}
        for one in ids
    ]
