"""Closed connections stay, told by a status.

Source: issei/AletheIA, services/ws-connection/src/ConnectFunction.js and disconnectWS.js; its key
is CONN#id.
"""

from __future__ import annotations

ISO = "%Y-%m-%dT%H:%M:%S.000Z"
KEYS = ["connectionId"]
SETTINGS = {"ROW_FILTER": "status=CONNECTED"}


def rows(c):
    return [{"connectionId": c.id, "status": "CONNECTED", "connectedAt": c.text(ISO)}]


def others():
    ids = [f"Hist{n:05}ABcdEF=" for n in range(6)]
    return [{"connectionId": one, "status": "DISCONNECTED"} for one in ids]
