"""Closed connections stay, with the time of their end.

Source: patsypppe/ridesharing-app, backend/services/websocket-service/handler.js.
"""

from __future__ import annotations

ISO = "%Y-%m-%dT%H:%M:%S.000Z"
KEYS = ["connectionId"]
SETTINGS = {"ROW_FILTER": "!disconnectedAt"}


def rows(c):
    return [{"connectionId": c.id, "userType": "rider", "connectedAt": c.text(ISO)}]


def others():
    ids = [f"Hist{n:05}ABcdEF=" for n in range(6)]
    return [
        {
            "connectionId": one,
            "userType": "driver",
            "connectedAt": "2026-09-21T14:13:20.000Z",
            "disconnectedAt": "2026-09-21T14:28:20.000Z",
        }
        for one in ids
    ]
