"""Times and counters that are of the device and not of the connection; the TTL is extended.

Source: hello-nrfcloud/backend, websocket/connectionsRepository.ts.
"""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [
        {
            "connectionId": c.id,
            "deviceId": f"d{c.number}",
            "model": "PCA20035",
            "version": c.number,
            "count": c.number * 3,
            "updatedAt": c.text("%Y-%m-%dT%H:%M:%S.000Z"),
            "ttl": c.seconds + 300,
        }
    ]
