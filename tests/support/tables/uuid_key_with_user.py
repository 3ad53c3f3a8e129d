"""The key is of the row; the id an attribute; a session that passes."""

from __future__ import annotations

KEYS = ["sessionKey"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "socket"}


def rows(c):
    return [{"sessionKey": f"s-{c.number:08}", "socket": c.id, "expiresAt": c.seconds + 7200}]
