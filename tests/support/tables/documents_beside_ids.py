"""Ids and names of documents under one hash key, told apart by their attributes alone.

Source: rlingineni/y-serverless, api/helpers/connections.ts.
"""

from __future__ import annotations

KEYS = ["PartitionKey"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "PartitionKey"}


def rows(c):
    return [{"PartitionKey": c.id, "DocName": f"doc{c.number % 3}", "ttl": c.seconds + 3600}]


def others():
    return [{"PartitionKey": f"doc{n}", "Updates": ["AAEC", "AwQF"]} for n in range(3)]
