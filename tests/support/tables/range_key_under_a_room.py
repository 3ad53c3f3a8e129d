"""The id is the range key under a room."""

from __future__ import annotations

KEYS = ["roomId", "connectionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [{"roomId": f"room-{c.number % 3}", "connectionId": c.id, "joinedAt": c.seconds}]
