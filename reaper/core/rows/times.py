"""Times as applications store them, told apart by value."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from reaper.core.rows.items import AttributeValue, text_of
from reaper.core.rows.time_texts import read_digits, read_text

MIN_PLAUSIBLE_TIME = datetime(2018, 12, 18, tzinfo=UTC).timestamp()
"""API Gateway got its WebSocket APIs on this day; no connection is older."""

FUTURE_TOLERANCE_SECONDS = 300.0
"""How far two clocks may disagree before a time in the future makes no sense."""

_UNITS = (
    (1e17, 1e9, "epoch nanoseconds"),
    (1e14, 1e6, "epoch microseconds"),
    (1e11, 1e3, "epoch milliseconds"),
)
"""From which number on a time is counted in which unit. 1e11 seconds are the year 5138, and 1e11
milliseconds were in 1973: nothing plausible is on the wrong side."""

_MIN_DIGITS = 1e13
"""Smaller numbers are epoch times; milliseconds as large are of the year 2286."""


class Time(NamedTuple):
    seconds: float
    """Since the epoch."""
    format: str
    """For a person: ``epoch milliseconds``."""
    has_zone: bool = True
    """False for text that does not name its zone, and was read in the one that is set."""


def epoch_seconds(
    value: AttributeValue | None, now: float, zone: tzinfo = UTC, offset_seconds: float = 0.0
) -> float | None:
    """When a stored time was, in epoch seconds, ``offset_seconds`` added to it.

    Returns None for what is absent, is no time, or makes no sense as one: before there were
    WebSocket APIs, or further ahead than clocks disagree. Forms are those of ``read_time``.
    """
    if value is None:
        return None
    told = _read(value, zone)
    return None if told is None else plausible(told[0] + offset_seconds, now)


def plausible(seconds: float, now: float) -> float | None:
    """The same moment, in epoch seconds, or None where it makes no sense as one."""
    return seconds if MIN_PLAUSIBLE_TIME <= seconds <= now + FUTURE_TOLERANCE_SECONDS else None


def read_time(value: AttributeValue | None, zone: tzinfo = UTC) -> Time | None:
    """What a value says, whether or not that makes sense as a time of a connection.

    Seconds, milliseconds, microseconds or nanoseconds since the epoch, as number or text; a map of
    seconds and nanoseconds, as protobuf has it; or the text that a common language prints. Text
    without a zone is read in ``zone``. A date alone is no time: it does not say when on that day.
    """
    told = None if value is None else _read(value, zone)
    return None if told is None else Time(*told)


def _read(value: AttributeValue, zone: tzinfo) -> tuple[float, str, bool] | None:
    """The fields of a Time, for each row of a table."""
    text = text_of(value)
    if text is None:
        return _from_map(value["M"]) if "M" in value else None
    try:
        number = float(text)
    except ValueError:
        return read_text(text, zone)
    if number >= _MIN_DIGITS and (told := read_digits(text, zone)):
        return told
    for least, per_second, form in _UNITS:
        if number >= least:
            return number / per_second, form, True
    return number, "epoch seconds", True


def is_plausible(time: Time, now: float) -> bool:
    """Whether a connection, or a sign of life of one, can be of that time."""
    return plausible(time.seconds, now) is not None


def _from_map(held: dict[str, AttributeValue]) -> tuple[float, str, bool] | None:
    """Protobuf's ``Timestamp``, also as Firestore writes it."""
    try:
        seconds = float(text_of(held.get("seconds") or held.get("_seconds")) or "nan")
        nanoseconds = text_of(held.get("nanos") or held.get("_nanoseconds"))
        moment = seconds + float(nanoseconds or 0) / 1e9
    except ValueError:
        return None
    return (moment, "seconds and nanoseconds", True) if moment == moment else None
