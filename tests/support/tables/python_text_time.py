"""The time is the text of Python's str(datetime.utcnow()), beside a TTL.

Source: icecilia007/lab-dev-distribuido, aws-serverless-
logistics/functions/websocket/lambda_function.py.
"""

from __future__ import annotations

KEYS = ["connectionId"]
SETTINGS = {"CONNECTED_AT_ATTRIBUTE": "connectedAt"}


def rows(c):
    return [
        {
            "connectionId": c.id,
            "connectedAt": c.text("%Y-%m-%d %H:%M:%S.%f"),
            "userId": c.number,
            "ttl": c.seconds + 86_400,
        }
    ]
