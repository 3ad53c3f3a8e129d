"""The key is of the row; the id an attribute; a session that passes.

Source: stolzz0613/IOT-MG, AWS/ws-api-lambda.py; its rows do not expire.
"""

from __future__ import annotations

KEYS = ["sessionKey"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "socket"}


def rows(c):
    return [{"sessionKey": f"s-{c.number:08}", "socket": c.id, "expiresAt": c.seconds + 7200}]
