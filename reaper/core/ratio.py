"""The heartbeat-to-message ratio, and how many messages the rows' counters stand for."""

from __future__ import annotations

LONGEST_LIFE_SECONDS = 7200.0
"""The platform closes every connection after two hours."""


def heartbeat_message_ratio(heartbeats: int, messages: int | None) -> float | None:
    """Heartbeats for each message of the application in the same window.

    Absent, not zero and not infinite, when no message was counted.
    """
    return heartbeats / messages if messages else None


def messages_in_window(count: int, age_seconds: float | None, window_seconds: float) -> float:
    """Of the messages that a row has counted since it connected, those of the last window.

    For a connection younger than the window that is all of them. For an older one it is the
    share that its mean rate gives, so nothing has to be remembered from sweep to sweep; a
    client that has just grown loud or silent is misjudged by that much. Without an age the
    longest possible one is assumed, which undercounts. Connections that came and went between
    two sweeps are never seen.
    """
    age = LONGEST_LIFE_SECONDS if age_seconds is None else age_seconds
    return count * min(1.0, window_seconds / max(age, 1.0))
