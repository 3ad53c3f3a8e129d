"""On what condition a row may be changed: that it is still as the scan saw it."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from reaper.core.rows.items import AttributeValue, Position
from reaper.core.rows.row import Row


class ConditionFailed(Exception):
    """The row is not, or no longer, what the condition says."""


def path_of(path: Sequence[Position]) -> Path:
    """Of an attribute; numbers in it are places in lists."""
    found = Path([str(path[0])])
    for step in path[1:]:
        found = found[step] if isinstance(step, int) else Path([*found.path, step])
    return found


def unchanged(row: Row) -> Condition:
    """The row still holds the same connection and nothing has touched it since it was read."""
    condition: Condition | None = None
    for path, value in zip(row.shape.watched, row.watched, strict=True):
        one = holds(path, value)
        condition = one if condition is None else condition & one
    assert condition is not None
    return condition


def holds(path: Sequence[Position], value: AttributeValue | None) -> Condition:
    """Whether this is what is there; None is nothing."""
    return path_of(path).does_not_exist() if value is None else path_of(path) == value
