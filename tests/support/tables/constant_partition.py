"""All connections under one partition key, the id twice, the time in ISO 8601.

Source: a dynamodb-onetable schema `WebSocketConnection` (found by search, repository not told).
"""

from __future__ import annotations

KEYS = ["PK", "SK"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [
        {
            "PK": "WS_CONNECTION",
            "SK": c.id,
            "connectionId": c.id,
            "connectedAt": c.text("%Y-%m-%dT%H:%M:%S.000Z"),
            "GSI1PK": "ACTIVE_CONNECTIONS",
            "userEmail": f"u{c.number}@example.com",
        }
    ]


def others():
    return [{"PK": f"USER#{n}", "SK": "PROFILE", "email": f"u{n}@example.com"} for n in range(3)]
