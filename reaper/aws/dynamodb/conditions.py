"""On what condition a row may be changed: that it is still as the scan saw it."""

from __future__ import annotations

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from reaper.core.rows.items import AttributePath, AttributeValue
from reaper.core.rows.row import Row


class ConditionFailed(Exception):
    """The row is not, or no longer, what the condition says."""


def path_of(path: AttributePath) -> Path:
    return Path(list(path))


def unchanged(row: Row) -> Condition:
    """The row still holds the same connection and nothing has touched it since it was read."""
    condition: Condition | None = None
    for path, value in zip(row.shape.watched, row.watched, strict=True):
        one = _holds(path, value)
        condition = one if condition is None else condition & one
    assert condition is not None
    return condition


def _holds(path: AttributePath, value: AttributeValue | None) -> Condition:
    return path_of(path).does_not_exist() if value is None else path_of(path) == value
