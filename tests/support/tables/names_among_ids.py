"""Rows that reserve a name have keys of another form beside the ids.

Source: a multiplayer game whose $disconnect deletes `playerName#…` beside its own row (found by
`requestContext.connectionId`, repository not told).
"""

from __future__ import annotations

KEYS = ["connectionId"]


def rows(c):
    return [{"connectionId": c.id, "playerName": f"player {c.number}"}]


def others():
    return [{"connectionId": f"playerName#player {n}"} for n in range(4)]
