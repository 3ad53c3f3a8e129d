"""Documents that several edit: a map from ids to cursors.

Source: stayallive/serverless-websockets, src/Connections/DynamoDB/Channels/AbstractChannel.php;
its maps are of channels and hold no time.
"""

from __future__ import annotations

KEYS = ["documentId"]
SETTINGS = {
    "CONNECTION_ID_ATTRIBUTE": "editors{}",
    "CONNECTED_AT_ATTRIBUTE": "editors{}.since",
}


def stored(clients):
    return [
        {
            "documentId": f"d{document}",
            "title": "minutes",
            "editors": {
                c.id: {"since": c.text("%Y-%m-%dT%H:%M:%SZ"), "cursor": c.number}
                for c in clients
                if c.number % 3 == document
            },
        }
        for document in range(3)
    ]
