"""Channels with a map from users to the connection that each has now.

Source: TNG/next-generation-scrum-poker, backend/shared/database/addConnectionToGroup.ts; without
times.
"""

from __future__ import annotations

KEYS = ["channel"]
SETTINGS = {
    "CONNECTION_ID_ATTRIBUTE": "present{}.connectionId",
    "CONNECTED_AT_ATTRIBUTE": "present{}.since",
}


def stored(clients):
    return [
        {
            "channel": f"c{channel}",
            "present": {
                f"user.{c.number}": {"connectionId": c.id, "since": c.ms, "typing": False}
                for c in clients
                if c.number % 2 == channel
            },
        }
        for channel in range(2)
    ]
