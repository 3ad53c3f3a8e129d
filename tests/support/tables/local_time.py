"""A local time of New York, without its zone.

Source: none with this time; michalkvasnicak/aws-lambda-graphql, DynamoDBConnectionManager.ts,
writes the machine's local time too, but with its zone.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

KEYS = ["id"]
SETTINGS = {"CONNECTED_AT_ATTRIBUTE": "connectTime", "TIME_ZONE": "-05:00"}


def rows(c):
    there = datetime.fromtimestamp(c.connected_at, timezone(timedelta(hours=-5)))
    return [{"id": c.id, "connectTime": there.strftime("%Y-%m-%d %H:%M:%S")}]
