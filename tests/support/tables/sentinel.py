"""A counter sits among the ids.

Source: jwulff/signage, packages/functions/src/connect.ts and disconnect.ts; its keys are
composite.
"""

from __future__ import annotations

KEYS = ["connectionId"]


def rows(c):
    return [{"connectionId": c.id, "timestamp": c.ms}]


def others():
    return [{"connectionId": "__count__", "count": 20}]
