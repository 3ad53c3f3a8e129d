"""One row holds everybody's id in a set, as of a small broadcast.

Source: a public repository whose name the search does not tell (`ADD connectionIds :ids`).
"""

from __future__ import annotations

KEYS = ["id"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionIds[]"}


def stored(clients):
    return [{"id": "test", "connectionIds": {c.id for c in clients}}]
