"""Game rooms, each with the ids of its clients in a set, and with a time of its own.

Source: a public sequence diagram (`UpdateItem Room by roomId "ADD clients [connectionId]"`).
"""

from __future__ import annotations

import time

KEYS = ["roomId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "clients[]"}

CREATED = int(time.time()) - 90_000


def stored(clients):
    return [
        {
            "roomId": f"r{room}",
            "createdAt": CREATED,
            "clients": {c.id for c in clients if c.number % 3 == room},
        }
        for room in range(3)
    ]
