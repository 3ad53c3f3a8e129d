"""The id is the hash key and all there is.

Source: gabriel-ejiro/LiveSky-Dashboard, lambda/on_connect.py.
"""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [{"connectionId": c.id}]
