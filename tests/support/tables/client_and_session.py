"""Who has gone stays under the same id, told apart by the range key; so are messages.

Source: samepage-network/roam-samepage, lambdas/onconnect.ts and ondisconnect.ts.
"""

from __future__ import annotations

ISO = "%Y-%m-%dT%H:%M:%S.000Z"
KEYS = ["id", "entity"]


def rows(c):
    return [{"id": c.id, "entity": "$client", "date": c.text(ISO)}]


def others():
    ended = [
        {
            "id": f"Hist{n:05}ABcdEF=",
            "entity": "$session",
            "initiated": "2026-09-21T14:13:20.000Z",
            "date": "2026-09-21T14:28:20.000Z",
        }
        for n in range(8)
    ]
    messages = [{"id": f"m-{n}", "entity": "notes-$message", "graph": "notes"} for n in range(8)]
    return ended + messages
