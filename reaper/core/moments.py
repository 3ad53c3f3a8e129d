"""Moments as people and other programs read them: ISO 8601 in UTC. Metrics have epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

SHORT_SECONDS = 90.0
"""What is longer is told in minutes."""


def iso(epoch_seconds: float | None) -> str | None:
    """With milliseconds, such as ``2026-11-27T13:02:11.123Z``."""
    return None if epoch_seconds is None else iso_of(epoch_seconds)


def iso_of(epoch_seconds: float) -> str:
    second, microseconds = divmod(round(epoch_seconds * 1_000_000), 1_000_000)
    return f"{_second(second)}.{microseconds // 1000:03}Z"


@lru_cache(1024)
def _second(epoch_seconds: int) -> str:
    """Most moments of an audit line are of the last few minutes."""
    return datetime.fromtimestamp(epoch_seconds, UTC).replace(tzinfo=None).isoformat()


def duration_of(seconds: float) -> str:
    """For a person, in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < SHORT_SECONDS else f"{seconds / 60:.0f} min"


def epoch_of(text: str) -> float:
    """Epoch seconds of a moment in ISO 8601; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
