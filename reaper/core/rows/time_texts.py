"""Times as text, in the forms that languages and logs print.

What could mean two moments is none: ``4/5/2026``, where the day may be the month, and names of
zones that several countries have (``CST``, ``IST``, ``EST``).
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo

_DATE_ONLY = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-?W\d{2}(-?\d)?")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_HOURS_OF_ZONES = {
    "": ("Z", "UTC", "GMT", "UT", "WET"),
    "+1": ("CET", "WEST"),
    "+2": ("CEST", "EET"),
    "+3": ("EEST", "MSK"),
    "+9": ("JST", "KST"),
    "+10": ("AEST",),
    "+11": ("AEDT",),
    "+12": ("NZST",),
    "+13": ("NZDT",),
    "-4": ("EDT",),
    "-7": ("PDT",),
}
_OFFSETS = {
    name: timedelta(hours=int(hours or 0))
    for hours, names in _HOURS_OF_ZONES.items()
    for name in names
}
"""Of the names that mean the same wherever they are used."""

_YEAR = r"(?P<year>20\d{2})"
_MONTH = r"(?P<month>\d{1,2})"
_MONTH_NAME = r"(?P<month_name>[A-Z][a-z]{2})[a-z]{0,6}"
_DAY = r"(?P<day>\d{1,2})"
_DAY_NAME = r"(?:[A-Z][a-z]{2,8},? )?"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = (
    r"(?: ?(?:(?:GMT|UTC)?(?P<sign>[+-])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})"
    r"|(?P<zone_name>[A-Z]{1,5})))?"
)
_AFTER = r"(?: (?:[A-Z]{1,5}|[+-]\d{2,4}))?(?: m=[+-][\d.]+)?(?: ?[(\[][^)\]]*[)\]])?"
"""What Go, Java and JavaScript add: the zone once more by its name, a reading of another clock."""

_FORMS = [
    (name, re.compile(form))
    for name, form in (
        ("ISO 8601", rf"{_YEAR}-{_MONTH}-{_DAY}(?:T|,? ){_CLOCK}{_ZONE}{_AFTER}"),
        ("HTTP date", rf"{_DAY_NAME}{_DAY}[ -]{_MONTH_NAME}[ -]{_YEAR} {_CLOCK}{_ZONE}"),
        ("CLF date", rf"{_DAY}/{_MONTH_NAME}/{_YEAR}:{_CLOCK}{_ZONE}"),
        (
            "JavaScript date",
            rf"{_DAY_NAME}{_MONTH_NAME} {{1,2}}{_DAY},? {_YEAR},?(?: at)? {_CLOCK}{_ZONE}{_AFTER}",
        ),
        ("Unix date", rf"{_DAY_NAME}{_MONTH_NAME} {{1,2}}{_DAY} {_CLOCK}{_ZONE} {_YEAR}"),
        ("local date", rf"{_DAY}\.{_MONTH}\.{_YEAR},? {_CLOCK}{_ZONE}"),
        ("local date", rf"{_YEAR}/{_MONTH}/{_DAY},? {_CLOCK}{_ZONE}"),
        ("local date", rf"(?P<one>\d{{1,2}})[/-](?P<other>\d{{1,2}})[/-]{_YEAR},? {_CLOCK}{_ZONE}"),
    )
]

_DIGITS = re.compile(
    r"(?P<year>20\d{2})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})(?P<fraction>\d{3})?"
)

_DOTNET = re.compile(r"/Date\((?P<milliseconds>\d{10,14})(?:[+-]\d{4})?\)/")

_THIN_SPACES = str.maketrans("\u202f\u00a0", "  ")
"""Which JavaScript and Java put before AM and PM."""


def read_text(text: str, zone: tzinfo) -> tuple[float, str, bool] | None:
    """Epoch seconds, the form for a person, and whether the text names its zone.

    Without one it is read in ``zone``. None for what is no time, or might be two.
    """
    text = text.strip().translate(_THIN_SPACES)
    if _DATE_ONLY.fullmatch(text):
        return None
    if match := _DOTNET.fullmatch(text):
        return int(match["milliseconds"]) / 1000, ".NET date", True
    with suppress(ValueError, OverflowError):
        return _told(datetime.fromisoformat(text), "ISO 8601", zone)
    for name, form in _FORMS:
        if match := form.fullmatch(text):
            with suppress(ValueError, OverflowError, KeyError):
                return _told(_moment(match), name, zone)
    return None


def read_digits(text: str, zone: tzinfo) -> tuple[float, str, bool] | None:
    """``yyyyMMddHHmmss``, which as a number of milliseconds would lie centuries ahead."""
    if match := _DIGITS.fullmatch(text):
        with suppress(ValueError):
            return _told(_moment(match), "yyyyMMddHHmmss", zone)
    return None


def _told(moment: datetime, form: str, zone: tzinfo) -> tuple[float, str, bool]:
    if moment.tzinfo is not None:
        return moment.timestamp(), form, True
    return moment.replace(tzinfo=zone).timestamp(), f"{form} without a zone", False


def _moment(match: re.Match[str]) -> datetime:
    """Raises ValueError or KeyError for what is no moment, or might be two."""
    held = match.groupdict()
    fraction = (held["fraction"] or "0").ljust(6, "0")[:6]
    month, day = _month_and_day(held)
    return datetime(
        int(held["year"]),
        month,
        day,
        _hour(int(held["hour"]), held.get("half")),
        int(held["minute"]),
        int(held["second"] or 0),
        int(fraction),
        tzinfo=_zone(held),
    )


def _month_and_day(held: dict[str, str]) -> tuple[int, int]:
    if name := held.get("month_name"):
        return _MONTHS.index(name) + 1, int(held["day"])
    if "one" not in held:
        return int(held["month"]), int(held["day"])
    one, other = sorted((int(held["one"]), int(held["other"])))
    if one != other <= 12:
        raise ValueError("either of them may be the month")
    return one, other


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    return hour % 12 + (12 if half in "Pp" else 0)


def _zone(held: dict[str, str]) -> tzinfo | None:
    """Raises KeyError for a name that is unknown, or means several zones."""
    if name := held.get("zone_name"):
        return timezone(_OFFSETS[name])
    sign = held.get("sign")
    if sign is None:
        return None
    offset = timedelta(hours=int(held["zone_hours"]), minutes=int(held["zone_minutes"]))
    return timezone(-offset if sign == "-" else offset)
