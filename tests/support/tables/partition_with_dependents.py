"""Each connection has subscriptions under its partition.

Source: TonyLB/maketheworld, lambda/connections/disconnect/index.ts; its keys have other names.
"""

from __future__ import annotations

KEYS = ["PK", "SK"]
SETTINGS = {"EVICT_SCOPE": "partition"}


def rows(c):
    own = [{"PK": f"CONN#{c.id}", "SK": "META", "connectedAt": c.ms}]
    return own + [{"PK": f"CONN#{c.id}", "SK": f"SUB#{n}"} for n in range(c.number % 3)]


def others():
    return [{"PK": f"TOPIC#{n}", "SK": "META", "title": "a topic"} for n in range(4)]
