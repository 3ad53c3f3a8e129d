"""A session outlives its sockets, and holds the id of the one it has now, and its URL.

Source: MengLinMaker/reconnecting-websockets-on-AWS, backend/message/index.py.
"""

from __future__ import annotations

KEYS = ["sessionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "currentId"}


def rows(c):
    return [{"sessionId": f"s{c.number}", "currentId": c.id, "message": "hello"}]


def left(c):
    return [{"sessionId": f"s{c.number}", "message": "hello"}]
