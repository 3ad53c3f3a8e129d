"""The id is the range key under an organisation.

Source: a Terraform table `WebSocketConnections` (found by search, repository not told).
"""

from __future__ import annotations

KEYS = ["orgId", "connectionId"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [{"orgId": f"org-{c.number % 4}", "connectionId": c.id, "userId": f"u{c.number}"}]
