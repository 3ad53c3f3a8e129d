"""On what condition a row may be changed: that it is still as the scan saw it."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class _Template(NamedTuple):
    expression: str
    names: dict[str, str]
    value_names: list[str]


class DeleteRequests:
    """DeleteItem requests on that condition.

    pynamodb writes the condition once for all rows that have the same attributes; each row brings
    its own values. To write it takes as long as to send it.
    """

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._templates: dict[tuple[object, ...], _Template] = {}

    def of(self, row: Row) -> dict[str, Any]:
        watched = row.watched
        kind = row.shape.watched, *(value is not None for value in watched)
        template = self._templates.get(kind)
        if template is None:
            template = self._templates[kind] = _template(row)
        values = (value for value in watched if value is not None)
        return {
            "TableName": self._table_name,
            "Key": row.key,
            "ConditionExpression": template.expression,
            "ExpressionAttributeNames": template.names,
            "ExpressionAttributeValues": dict(zip(template.value_names, values, strict=True)),
        }


def _template(row: Row) -> _Template:
    placeholders: dict[str, str] = {}
    values: dict[str, Any] = {}
    expression = unchanged(row).serialize(placeholders, values)
    names = {placeholder: name for name, placeholder in placeholders.items()}
    return _Template(expression, names, list(values))
