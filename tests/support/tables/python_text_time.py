"""The time is the text of Python, the last sign of life a number."""

from __future__ import annotations

KEYS = ["connection_id"]
SETTINGS = {"CONNECTED_AT_ATTRIBUTE": "connected_at", "LAST_SEEN_ATTRIBUTE": "last_seen"}


def rows(c):
    return [
        {
            "connection_id": c.id,
            "connected_at": c.text("%Y-%m-%d %H:%M:%S.%f"),
            "last_seen": c.seconds + 30,
        }
    ]
