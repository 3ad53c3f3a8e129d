"""Which rows of a table are connection rows, by what their attributes hold."""

from __future__ import annotations

import re
from typing import NamedTuple

from reaper.core.rows.items import (
    MAX_VALUE_LENGTH,
    AttributePath,
    Item,
    attribute,
    attribute_path,
    is_empty,
    said_by,
)

_AND = re.compile(r"\s+&&(?:\s+|$)")

WANTED = "must be attribute=regex or !attribute, or several joined by ' && ', such as SK=META"


class Condition(NamedTuple):
    path: AttributePath
    pattern: re.Pattern[str] | None
    """What the whole value matches; None where the attribute must be absent, null or empty."""

    def is_met_by(self, item: Item) -> bool:
        value = attribute(item, self.path)
        if self.pattern is None:
            return is_empty(value)
        text = said_by(value)
        if text is None or len(text) > MAX_VALUE_LENGTH:
            return False
        return self.pattern.fullmatch(text) is not None


RowFilter = tuple[Condition, ...]
"""All of them must be met."""


def parse_row_filter(text: str) -> RowFilter:
    """``kind=CONN && !disconnectedAt``. Raises ValueError whose message says what is wanted."""
    return tuple(_condition(part.strip()) for part in _AND.split(text.strip()))


def _condition(text: str) -> Condition:
    if text.startswith("!"):
        if "=" in text:
            raise ValueError(
                f"{WANTED}; !attribute has no =, and a regex can say not: (?!closed).*"
            )
        return Condition(attribute_path(text[1:]), None)
    name, equals, expression = text.partition("=")
    if not equals:
        raise ValueError(WANTED)
    try:
        return Condition(attribute_path(name), re.compile(expression))
    except re.error as error:
        raise ValueError(f"must hold a regular expression after {name}= ({error})") from None
