"""Times as applications store them, told apart by value."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from reaper.core.rows.items import AttributeValue, text_of

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

_DATE_ONLY = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-?W\d{2}(-?\d)?")

_JAVASCRIPT_DATE = re.compile(
    r"[A-Z][a-z]{2} (?P<date>[A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4})(?: \(.*\))?"
)


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
    text = text_of(value)
    if text is None:
        return None
    told = _read(text, zone)
    return None if told is None else plausible(told[0] + offset_seconds, now)


def plausible(seconds: float, now: float) -> float | None:
    """The same moment, in epoch seconds, or None where it makes no sense as one."""
    return seconds if MIN_PLAUSIBLE_TIME <= seconds <= now + FUTURE_TOLERANCE_SECONDS else None


def read_time(value: AttributeValue | None, zone: tzinfo = UTC) -> Time | None:
    """What a value says, whether or not that makes sense as a time of a connection.

    Seconds, milliseconds, microseconds or nanoseconds since the epoch, ISO 8601, or the text of a
    JavaScript or HTTP date. Text without a zone is read in ``zone``. A date alone is no time: it
    does not say when on that day.
    """
    text = text_of(value)
    if text is None:
        return None
    told = _read(text, zone)
    return None if told is None else Time(*told)


def _read(text: str, zone: tzinfo) -> tuple[float, str, bool] | None:
    """The fields of a Time, for each row of a table."""
    try:
        number = float(text)
    except ValueError:
        return _from_text(text, zone)
    for least, per_second, form in _UNITS:
        if number >= least:
            return number / per_second, form, True
    return number, "epoch seconds", True


def is_plausible(time: Time, now: float) -> bool:
    """Whether a connection, or a sign of life of one, can be of that time."""
    return plausible(time.seconds, now) is not None


def _from_text(text: str, zone: tzinfo) -> Time | None:
    text = text.strip()
    if _DATE_ONLY.fullmatch(text):
        return None
    for name, read in (
        ("ISO 8601", datetime.fromisoformat),
        ("JavaScript date", _from_javascript),
        ("JavaScript UTC date", parsedate_to_datetime),
    ):
        try:
            moment = read(text)
            if moment.tzinfo is not None:
                return Time(moment.timestamp(), name)
            moment = moment.replace(tzinfo=zone)
            return Time(moment.timestamp(), f"{name} without a zone", has_zone=False)
        except (ValueError, OverflowError):
            continue
    return None


def _from_javascript(text: str) -> datetime:
    match = _JAVASCRIPT_DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.strptime(match["date"], "%b %d %Y %H:%M:%S GMT%z")
