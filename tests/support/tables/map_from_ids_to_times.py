"""Topics with a map from ids to the second of subscribing.

Source: TonyLB/maketheworld, lambda/connections/disconnect/index.ts; the values of its map are
names and not times.
"""

from __future__ import annotations

KEYS = ["topic"]
SETTINGS = {
    "CONNECTION_ID_ATTRIBUTE": "subscribers{}",
    "CONNECTED_AT_ATTRIBUTE": "subscribers{}",
}


def stored(clients):
    return [
        {
            "topic": f"t{topic}",
            "subscribers": {c.id: c.seconds for c in clients if c.number % 2 == topic},
        }
        for topic in range(2)
    ]
