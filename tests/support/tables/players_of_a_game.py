"""Games with a list of players, each with a name, an id and a time of joining.

Source: joshclowater/dice10k-serverless, joingame/app.mjs; its players have no time.
"""

from __future__ import annotations

KEYS = ["gameId"]
SETTINGS = {
    "CONNECTION_ID_ATTRIBUTE": "players[].connectionId",
    "CONNECTED_AT_ATTRIBUTE": "players[].joinedAt",
}


def stored(clients):
    def player(c):
        return {"name": f"n{c.number}", "connectionId": c.id, "joinedAt": c.ms, "score": c.number}

    return [
        {
            "gameId": f"g{game}",
            "status": "playing",
            "players": [player(c) for c in clients if c.number % 4 == game],
        }
        for game in range(4)
    ]
