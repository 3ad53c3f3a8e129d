"""What a variable is, and how its text is read.

Each reader raises ValueError that says what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone, tzinfo
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reaper.core.iam import table_id
from reaper.core.platform import MAX_CONNECTION_LIFE_SECONDS
from reaper.core.rows.items import AttributePath, attribute_path

A_YEAR_SECONDS = 31_536_000

MAX_UTC_OFFSET_HOURS = 14
"""No zone is further from UTC."""

_HOST = re.compile(r"[A-Za-z0-9.-]+")

_UTC_OFFSET = re.compile(r"(?:UTC)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: what it means and how its text is read."""

    meaning: str
    parse: Callable[[str], Any]
    default: str
    shown_default: str
    required: bool
    absent: Any
    """What Settings holds when there is neither a value nor a default."""
    may_be_emptied: bool
    """An empty value switches it off; elsewhere an empty value stands for the default."""


def variable(
    meaning: str,
    parse: Callable[[str], Any],
    default: str = "",
    *,
    shown: str = "",
    required: bool = False,
    absent: Any = None,
    may_be_emptied: bool = False,
) -> Any:
    """A field of Settings. Its variable has the field's name in capitals."""
    shown = shown or ("required" if required else default or "none")
    made = Variable(meaning, parse, default, shown, required, absent, may_be_emptied)
    return field(metadata={"variable": made})


def text(value: str) -> str:
    return value


def table(value: str) -> str:
    """A table's name or ARN."""
    table_id(value)
    return value


def names(value: str) -> tuple[str, ...]:
    """Names joined by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def attribute_paths(value: str) -> tuple[AttributePath, ...]:
    return tuple(attribute_path(name) for name in names(value))


def endpoint_attributes(value: str) -> tuple[AttributePath, ...]:
    paths = attribute_paths(value)
    if len(paths) > 2:
        raise ValueError("must be one attribute, or two: of the domain and of the stage")
    return paths


def hosts(value: str) -> dict[str, str]:
    """Hosts, each with the URL at which its rows are asked after, or with none."""
    found: dict[str, str] = {}
    for name in names(value):
        host, _, url = name.partition("=")
        if not _HOST.fullmatch(host.strip()):
            raise ValueError(
                "must be hosts, each host or host=URL, such as"
                " ws.example.com=https://{api}.execute-api.{region}.amazonaws.com/{stage}"
            )
        found[host.strip().lower()] = url.strip()
    return found


def boolean(value: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True}
    known |= {"false": False, "0": False, "no": False, "off": False}
    try:
        return known[value.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def seconds(least: float = 0) -> Callable[[str], float]:
    return _number(float, least, A_YEAR_SECONDS, "a number of seconds")


def offset(value: str) -> float:
    return float(_number(float, -A_YEAR_SECONDS, A_YEAR_SECONDS, "a number of seconds")(value))


def time_zone(value: str) -> tzinfo:
    """An IANA name, or an offset from UTC."""
    if match := _UTC_OFFSET.fullmatch(value):
        sign = -1 if match["sign"] == "-" else 1
        hours, minutes = int(match["hours"]), int(match["minutes"])
        if hours <= MAX_UTC_OFFSET_HOURS and minutes < 60:
            return timezone(sign * timedelta(hours=hours, minutes=minutes))
    elif value.upper() in ("UTC", "Z"):
        return UTC
    else:
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(value)
    raise ValueError(
        "must be a name of the IANA time zone database that this machine has, such as"
        " Europe/Berlin, or an offset from UTC, such as -05:00"
    )


def connection_age(value: str) -> float:
    """An age that proves death: none of a socket that may still live."""
    age = float(seconds()(value))
    if 0 < age < MAX_CONNECTION_LIFE_SECONDS:
        raise ValueError(
            f"must be 0, or at least {MAX_CONNECTION_LIFE_SECONDS:g}: until then a socket may live"
        )
    return age


def count(least: int, at_most: int | None = None) -> Callable[[str], int]:
    return _number(int, least, at_most, "a whole number")


def amount(value: str) -> float:
    return float(_number(float, 0, None, "a number")(value))


def fraction(above: float | None = None) -> Callable[[str], float]:
    """A part of one; with ``above``, more than that."""
    read = _number(float, 0, 1, "a fraction")

    def parse(value: str) -> float:
        number = float(read(value))
        if above is not None and number <= above:
            raise ValueError(f"must be a fraction above {above:g} and at most 1")
        return number

    return parse


def in_flight(value: str) -> int | None:
    """None for auto."""
    return None if value.lower() == "auto" else count(1, 10_000)(value)


def one_of(*choices: Any) -> Callable[[str], Any]:
    """One of some words, or of the values of an enum, which then is what comes back."""
    if len(choices) == 1 and issubclass(choices[0], Enum):
        known = {member.value: member for member in choices[0]}
    else:
        known = {choice: choice for choice in choices}

    def parse(value: str) -> Any:
        try:
            return known[value.lower()]
        except KeyError:
            raise ValueError(f"must be one of {', '.join(known)}") from None

    return parse


def any_of(*choices: str) -> Callable[[str], tuple[str, ...]]:
    one = one_of(*choices)
    return lambda value: tuple(one(name) for name in names(value))


def bytes_of(at_most: int) -> Callable[[str], bytes]:
    def parse(value: str) -> bytes:
        data = value.encode()
        if len(data) > at_most:
            raise ValueError(f"must be at most {at_most} bytes long")
        return data

    return parse


def pattern(value: str) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from None


def host_and_port(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:9464")
    return host.strip("[]"), int(port)


def fifo_queue(value: str) -> str:
    if not value.startswith(("https://", "http://")) or not value.endswith(".fifo"):
        raise ValueError(
            "must be the URL of an SQS FIFO queue, such as"
            " https://sqs.eu-west-1.amazonaws.com/123456789012/reaper.fifo"
        )
    return value


def _number(
    read: Callable[[str], Any], least: float, at_most: float | None, what: str
) -> Callable[[str], Any]:
    bounds = f"of at least {least:g}" if at_most is None else f"from {least:g} to {at_most:,.10g}"

    def parse(value: str) -> Any:
        try:
            number = read(value)
        except ValueError:
            raise ValueError(f"must be {what} {bounds}") from None
        if not least <= number < float("inf") or (at_most is not None and number > at_most):
            raise ValueError(f"must be {what} {bounds}")
        return number

    return parse
