"""The id is in a map on the row of a device that stays.

Source: michalkvasnicak/aws-lambda-graphql, DynamoDBSubscriptionManager.ts, has the id in a map,
and TNG/next-generation-scrum-poker, createGroupWithConnection.ts, a row that stays.
"""

from __future__ import annotations

KEYS = ["deviceId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "ws.connection-id", "EVICT_ACTION": "clear"}


def rows(c):
    return [
        {"deviceId": f"d{c.number}", "model": "x1", "ws": {"connection-id": c.id, "node": "n1"}}
    ]


def left(c):
    return [{"deviceId": f"d{c.number}", "model": "x1", "ws": {"node": "n1"}}]
