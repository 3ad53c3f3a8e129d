"""The id is inside a composite key, beside rooms and users."""

from __future__ import annotations

KEYS = ["pk", "sk"]


def rows(c):
    return [{"pk": f"CONN#driver#{c.id}", "sk": "META", "at": c.ms}]


def others():
    return [{"pk": f"ROOM#{n}", "sk": "META", "title": "a room"} for n in range(5)]
