"""An index attribute holds the id in lower case.

Source: none: what ORMs do that lower-case what they index, as issues of theirs tell.
"""

from __future__ import annotations

KEYS = ["pk"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionId"}


def rows(c):
    return [
        {
            "pk": f"user#{c.number}",
            "connectionIdIndex": c.id.lower(),
            "connectionId": c.id,
            "ttl": c.seconds + 7200,
        }
    ]
