"""A single table with a row `CONNECTION#id / METADATA` and an index by user.

Source: a handler whose `ConnectionEntity` is commented so (found by search, repository not told).
"""

from __future__ import annotations

KEYS = ["PK", "SK"]


def rows(c):
    return [
        {
            "PK": f"CONNECTION#{c.id}",
            "SK": "METADATA",
            "GSI1PK": "WEBSOCKET_CONNECTIONS",
            "GSI1SK": f"u{c.number}#{c.id}",
            "connectedAt": c.text("%Y-%m-%dT%H:%M:%S.000Z"),
        }
    ]


def others():
    return [{"PK": f"USER#u{n}", "SK": "METADATA", "name": "Ann"} for n in range(4)]
