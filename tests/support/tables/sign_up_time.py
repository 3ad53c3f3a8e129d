"""A time of sign-up beside the one of the connection.

Source: none: what befalls who copies a user's row into the connection's.
"""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"CONNECTED_AT_ATTRIBUTE": "since"}


def rows(c):
    return [{"connectionId": c.id, "createdAt": c.ms - 86_400_000 * (c.number + 1), "since": c.ms}]
