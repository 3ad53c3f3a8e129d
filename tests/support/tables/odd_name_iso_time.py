"""The id is the hash key by another name; the time is ISO 8601.

Source: stayallive/serverless-websockets, src/Connections/DynamoDB/ConnectionManager.php, for the
name; it stores no ISO time.
"""

from __future__ import annotations

KEYS = ["connection-id"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connection-id", "CONNECTED_AT_ATTRIBUTE": "created"}


def rows(c):
    return [
        {"connection-id": c.id, "created": c.text("%Y-%m-%dT%H:%M:%SZ"), "name": f"n{c.number}"}
    ]
