"""Requests in DynamoDB's JSON. pynamodb writes their expressions, once for all of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pynamodb.expressions.projection import create_projection_expression

from reaper.aws.dynamodb.conditions import path_of, unchanged
from reaper.core.rows.items import AttributePath, Item
from reaper.core.rows.row import Row


class ScanRequests:
    """Scan requests for pages with the same attributes."""

    def __init__(
        self, table_name: str, index: str | None, attributes: Sequence[AttributePath] | None
    ) -> None:
        """``attributes`` are those that rows are brought with; None is all of them."""
        self._request: dict[str, Any] = {
            "TableName": table_name,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if index is not None:
            self._request["IndexName"] = index
        if attributes is not None:
            placeholders: dict[str, str] = {}
            paths = [path_of(path) for path in attributes]
            expression = create_projection_expression(paths, placeholders)
            self._request["ProjectionExpression"] = expression
            self._request["ExpressionAttributeNames"] = {
                placeholder: name for name, placeholder in placeholders.items()
            }

    def of(
        self, start_key: Item | None, segment: int, total_segments: int, limit: int | None
    ) -> dict[str, Any]:
        """For the page that starts there, of so many rows at most."""
        request = self._request | {"Segment": segment, "TotalSegments": total_segments}
        if limit is not None:
            request["Limit"] = limit
        if start_key is not None:
            request["ExclusiveStartKey"] = start_key
        return request


class _Template(NamedTuple):
    expression: str
    names: dict[str, str]
    value_names: list[str]


class DeleteRequests:
    """DeleteItem requests on condition that the row is unchanged.

    The condition is written once for all rows that have the same attributes; each row brings its
    own values. To write it takes as long as to send it.
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
