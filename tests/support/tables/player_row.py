"""The id sits on the row of a player, who stays.

Source: a public game server whose repository the search does not tell (table LaserGamePlayers);
rafaesapata/chat-colaborativo-video-aws, backend/lambdas/connection-handler/index.js, sets a
status.
"""

from __future__ import annotations

KEYS = ["playerId"]
SETTINGS = {"EVICT_ACTION": "clear", "EVICT_SET": '{"online": false}'}


def rows(c):
    return [{"playerId": f"p{c.number}", "score": c.number, "connectionId": c.id, "online": True}]


def left(c):
    return [{"playerId": f"p{c.number}", "score": c.number, "online": False}]


def others():
    return [{"playerId": f"off{n}", "score": n, "online": False} for n in range(5)]
