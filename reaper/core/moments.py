"""Moments as people and other programs read them: ISO 8601 in UTC. Metrics have epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch_seconds: float | None) -> str | None:
    """With milliseconds, such as ``2026-11-27T13:02:11.123Z``."""
    return None if epoch_seconds is None else iso_of(epoch_seconds)


def iso_of(epoch_seconds: float) -> str:
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def epoch_of(text: str) -> float:
    """Epoch seconds of a moment in ISO 8601; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
