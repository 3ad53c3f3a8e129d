"""What the attributes of sampled rows hold, told by their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, tzinfo

from reaper.core.rows.ids import holds_id
from reaper.core.rows.items import AttributeValue
from reaper.core.rows.times import MIN_PLAUSIBLE_TIME, is_plausible, read_time

_COLLECTIONS = {"SS": "a set", "NS": "a set", "BS": "a set", "L": "a list", "M": "a map"}

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


def collections(values: Iterable[AttributeValue]) -> Counter[str]:
    """How many values are collections, of which kind, and not one value."""
    kinds = (next(iter(value)) for value in values)
    return Counter(_COLLECTIONS[kind] for kind in kinds if kind in _COLLECTIONS)


def collections_of_ids(values: Iterable[AttributeValue]) -> list[AttributeValue]:
    """Those of the values that are sets or lists of what looks like connection ids."""
    return [
        value
        for value in values
        if any(_looks_like_id({"S": one}) for one in value.get("SS", ()))
        or any(_looks_like_id(one) for one in value.get("L", ()))
    ]


def _time_format(value: AttributeValue, now: float, zone: tzinfo, offset_seconds: float) -> str:
    time = read_time(value, zone)
    if time is None:
        return NO_TIME
    time = time._replace(seconds=time.seconds + offset_seconds)
    if is_plausible(time, now):
        return time.format
    return TOO_EARLY if time.seconds < MIN_PLAUSIBLE_TIME else FUTURE


def _looks_like_id(value: AttributeValue) -> bool:
    text = value.get("S")
    return isinstance(text, str) and holds_id(text)
