"""The id is behind a prefix in the range key under a tenant.

Source: stayallive/serverless-websockets, src/DynamoDB/ConnectionManager.php; it has no tenants.
"""

from __future__ import annotations

KEYS = ["tenant", "sk"]


def rows(c):
    return [{"tenant": f"t{c.number % 2}", "sk": f"CONNECTION#{c.id}", "created_at": c.seconds}]


def others():
    return [{"tenant": f"t{n}", "sk": "SETTINGS", "theme": "dark"} for n in range(2)]
