"""Times as applications store them, told apart by value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from reaper.core.items import AttributeValue, text_of

EARLIEST_PLAUSIBLE = datetime(2018, 12, 18, tzinfo=UTC).timestamp()
"""API Gateway got its WebSocket APIs on this day; no connection is older."""

FUTURE_TOLERANCE_SECONDS = 300.0
"""How far two clocks may disagree before a time in the future makes no sense."""

_MILLISECONDS_FROM = 1e11
"""As seconds the year 5138, as milliseconds 1973: nothing plausible is on the wrong side."""

_JAVASCRIPT_DATE = re.compile(
    r"[A-Z][a-z]{2} (?P<date>[A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4})(?: \(.*\))?"
)


class Time(NamedTuple):
    seconds: float
    format: str
    """For a person: ``epoch milliseconds``."""


def epoch_seconds(value: AttributeValue | None, now: float) -> float | None:
    """Read a stored time: seconds, milliseconds, ISO 8601 or the text of a JavaScript date.

    A time without a zone is UTC. Returns None for what is absent, is no time, or makes no
    sense as one: before there were WebSocket APIs, or further ahead than clocks disagree.
    """
    if value is None:
        return None
    text = value.get("N") or value.get("S")
    if text is None:
        return None
    try:
        seconds = float(text)
        if seconds >= _MILLISECONDS_FROM:
            seconds /= 1000
    except ValueError:
        time = _from_text(text)
        if time is None:
            return None
        seconds = time.seconds
    return seconds if EARLIEST_PLAUSIBLE <= seconds <= now + FUTURE_TOLERANCE_SECONDS else None


def read_time(value: AttributeValue | None) -> Time | None:
    """What a value says, whether or not that makes sense as a time of a connection."""
    text = text_of(value)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return _from_text(text)
    if number >= _MILLISECONDS_FROM:
        return Time(number / 1000, "epoch milliseconds")
    return Time(number, "epoch seconds")


def is_plausible(time: Time, now: float) -> bool:
    """Whether a connection, or a sign of life of one, can be of that time."""
    return EARLIEST_PLAUSIBLE <= time.seconds <= now + FUTURE_TOLERANCE_SECONDS


def _from_text(text: str) -> Time | None:
    text = text.strip()
    for name, read in (
        ("ISO 8601", datetime.fromisoformat),
        ("JavaScript date", _from_javascript),
        ("JavaScript UTC date", parsedate_to_datetime),
    ):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        if moment.tzinfo is None:
            return Time(moment.replace(tzinfo=UTC).timestamp(), f"{name} without a zone")
        return Time(moment.timestamp(), name)
    return None


def _from_javascript(text: str) -> datetime:
    match = _JAVASCRIPT_DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.strptime(match["date"], "%b %d %Y %H:%M:%S GMT%z")
