"""Messages hold the id of their sender; a type tells kinds.

Source: samepage-network/roam-samepage, lambdas/common/messageGraph.ts; there the type is in the
range key, see client_and_session.py.
"""

from __future__ import annotations

KEYS = ["id"]


def rows(c):
    return [{"id": c.id, "type": "connection", "connected": c.ms}]


def others():
    return [{"id": f"m-{n}", "type": "message", "text": "hi"} for n in range(9)]
