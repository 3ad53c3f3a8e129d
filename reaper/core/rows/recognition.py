"""What the attributes of sampled rows hold, told by their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, tzinfo

from reaper.core.rows.items import AttributeValue
from reaper.core.rows.times import MIN_PLAUSIBLE_TIME, is_plausible, read_time

NO_TIME = "no time"
FUTURE = "a time in the future"
TOO_EARLY = "a time before there were WebSocket APIs"


def time_formats(
    values: Iterable[AttributeValue], now: float, zone: tzinfo = UTC, offset_seconds: float = 0.0
) -> Counter[str]:
    """How many values hold a time in which format, once the offset is added to it."""
    return Counter(_time_format(value, now, zone, offset_seconds) for value in values)


def is_nonsense(time_format: str) -> bool:
    """Whether values of this format count as absent."""
    return time_format in (NO_TIME, FUTURE, TOO_EARLY)


def _time_format(value: AttributeValue, now: float, zone: tzinfo, offset_seconds: float) -> str:
    time = read_time(value, zone)
    if time is None:
        return NO_TIME
    time = time._replace(seconds=time.seconds + offset_seconds)
    if is_plausible(time, now):
        return time.format
    return TOO_EARLY if time.seconds < MIN_PLAUSIBLE_TIME else FUTURE
