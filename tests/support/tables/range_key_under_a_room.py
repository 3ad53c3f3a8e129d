"""The id is the range key under a room.

Source: a public yjs server whose repository the search does not tell (table y-aws-cdk-table);
stayallive/serverless-websockets has channels with prefixes.
"""

from __future__ import annotations

KEYS = ["roomId", "connectionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [{"roomId": f"room-{c.number % 3}", "connectionId": c.id, "joinedAt": c.seconds}]
