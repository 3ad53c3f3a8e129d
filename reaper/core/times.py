"""Times as applications store them, told apart by value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from reaper.core.model import AttributeValue

EARLIEST_PLAUSIBLE = datetime(2018, 12, 18, tzinfo=UTC).timestamp()
"""API Gateway got its WebSocket APIs on this day; no connection is older."""

FUTURE_TOLERANCE_SECONDS = 300.0
"""How far two clocks may disagree before a time in the future makes no sense."""

_MILLISECONDS_FROM = 1e11
"""As seconds the year 5138, as milliseconds 1973: nothing plausible is on the wrong side."""

_JAVASCRIPT_DATE = re.compile(
    r"[A-Z][a-z]{2} (?P<date>[A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4})(?: \(.*\))?"
)


def epoch_seconds(value: AttributeValue | None, now: float) -> float | None:
    """Read a stored time: seconds, milliseconds, ISO 8601 or the text of a JavaScript date.

    A time without a zone is UTC. Returns None for what is absent, is no time, or makes no
    sense as one: before there were WebSocket APIs, or further ahead than clocks disagree.
    """
    if value is None:
        return None
    text = value.get("N", value.get("S"))
    if not isinstance(text, str):
        return None
    seconds = _from_number(text) if _is_number(text) else _from_text(text.strip())
    if seconds is None or not EARLIEST_PLAUSIBLE <= seconds <= now + FUTURE_TOLERANCE_SECONDS:
        return None
    return seconds


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _from_number(text: str) -> float:
    number = float(text)
    return number / 1000 if number >= _MILLISECONDS_FROM else number


def _from_text(text: str) -> float | None:
    for read in (datetime.fromisoformat, _from_javascript, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _from_javascript(text: str) -> datetime:
    match = _JAVASCRIPT_DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.strptime(match["date"], "%b %d %Y %H:%M:%S GMT%z")
