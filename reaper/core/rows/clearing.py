"""What an eviction changes on a row that stays: the id goes, and what belongs to it with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from reaper.core.rows.items import (
    AttributePath,
    AttributeValue,
    Item,
    attribute,
    attribute_path,
    to_wire,
)

Assigned = tuple[tuple[AttributePath, Any], ...]
"""Attributes and what they are set to, as JSON has it, with placeholders for the time."""


class Clearing(NamedTuple):
    connection_id: AttributePath
    removed: tuple[AttributePath, ...] = ()
    """Further attributes that go with the id."""
    assigned: Assigned = ()

    @property
    def paths(self) -> list[AttributePath]:
        """All that is changed, the id first."""
        return [self.connection_id, *self.removed, *(path for path, _ in self.assigned)]

    def removed_from(self, item: Item) -> list[AttributePath]:
        """What goes of this row: DynamoDB refuses to remove what lies in a map that is not there"""
        paths = (self.connection_id, *self.removed)
        return [path for path in paths if attribute(item, path) is not None]

    def assigned_at(self, now: float) -> list[tuple[AttributePath, AttributeValue]]:
        """In wire form, at this epoch second."""
        return [(path, to_wire(_at(value, now))) for path, value in self.assigned]


def parse_assigned(text: str) -> Assigned:
    """A JSON object of attributes. Raises ValueError whose message says what is wanted."""
    wanted = 'must be a JSON object of attributes, such as {"is_connected": false}'
    try:
        held = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{wanted} ({error})") from None
    if not isinstance(held, dict):
        raise ValueError(wanted)
    return tuple((attribute_path(name), value) for name, value in held.items())


def overlapping(paths: Sequence[AttributePath]) -> tuple[AttributePath, AttributePath] | None:
    """Two of them of which one holds the other: no update can name both."""
    for n, one in enumerate(paths):
        for other in paths[n + 1 :]:
            shared = min(len(one), len(other))
            if one[:shared] == other[:shared]:
                return one, other
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"DynamoDB has no {name}")


def _at(value: Any, now: float) -> Any:
    """With the time in place of its placeholders: a number where it is the whole text."""
    if isinstance(value, dict):
        return {name: _at(held, now) for name, held in value.items()}
    if isinstance(value, list):
        return [_at(held, now) for held in value]
    if not isinstance(value, str):
        return value
    numbers = {"{now}": int(now), "{now_ms}": int(now * 1000)}
    if value in numbers:
        return numbers[value]
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    for placeholder, number in numbers.items():
        value = value.replace(placeholder, str(number))
    return value.replace("{now_iso}", moment.replace("+00:00", "Z"))
