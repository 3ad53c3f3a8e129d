"""One row holds everybody's id in a list, in the order in which they came.

Source: a public repository whose name the search does not tell (`list_append(if_not_exists(…`).
"""

from __future__ import annotations

KEYS = ["id"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "ids[]"}


def stored(clients):
    return [{"id": "test", "ids": [c.id for c in clients]}]
