"""A row for each subscription of a connection: its id, a mark and the number of the subscription.

Source: subscriptionless (`id` and `topic` are the keys of `subscriptions`).
"""

from __future__ import annotations

KEYS = ["id", "topic"]


def rows(c):
    return [
        {"id": f"{c.id}|{n}", "topic": f"topic{n}", "subscription": "{}", "ttl": c.seconds + 7200}
        for n in range(1 + c.number % 2)
    ]
