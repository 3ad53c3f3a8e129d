"""The id is the hash key, its name in small letters.

Source: Anas-projects/Real-Time-Chat-Application-Using-WebSockets-On-AWS, lambda/connect.py.
"""

from __future__ import annotations

KEYS = ["connectionid"]
SETTINGS = {"CONNECTION_ID_ATTRIBUTE": "connectionid"}


def rows(c):
    return [{"connectionid": c.id}]
