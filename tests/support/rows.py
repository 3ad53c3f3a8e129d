"""Rows as applications write them, ten minutes old."""

from __future__ import annotations

import time
from typing import Any


def zombie(name: str, **attributes) -> dict:
    connected = {"N": str(int((time.time() - 600) * 1000))}
    return {"connectionId": {"S": name}, "connectedAt": connected, **attributes}


def item(**attributes: Any) -> dict[str, Any]:
    """A row; text stands for a string attribute."""
    wire = {n: {"S": v} if isinstance(v, str) else v for n, v in attributes.items()}
    ten_minutes_ago = {"N": str(int((time.time() - 600) * 1000))}
    return {"connectedAt": ten_minutes_ago, **wire}


LIVING = ("live", "live-too", "live-as-well")


def living(**attributes: Any) -> list[dict[str, Any]]:
    """Clients who bear out when rows say that they connected: so zombies go within seconds."""
    return [zombie(name, **attributes) for name in LIVING]
