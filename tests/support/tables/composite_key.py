"""The id is at the end of a composite range key, beside users.

Source: Nikeshkumar-tk/devHive, packages/aws/dynamodb/models/websocket.ts; its rows hold the id in
an attribute as well, and these do not.
"""

from __future__ import annotations

KEYS = ["pk", "sk"]


def rows(c):
    return [{"pk": "WEBSOCKET_CONNECTIONS", "sk": f"USER#u{c.number}#CONNECTION_ID#{c.id}"}]


def others():
    return [{"pk": "USERS", "sk": f"USER#u{n}", "name": f"n{n}"} for n in range(5)]
