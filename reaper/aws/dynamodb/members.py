"""UpdateItem requests that take members out of a row, or put some back into it, on condition.

They are written here and not by pynamodb, to which ``a[1]`` is a place in a list also where it is
the key of a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reaper.core.rows.items import AttributePath, AttributeValue, Item, Position, attribute
from reaper.core.rows.members import Leaving, Member, Returning, resolved
from reaper.core.rows.shape import RowShape


class _Request:
    """One request as it is written: paths and values by their placeholders."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, AttributeValue] = {}

    def path(self, *steps: Position) -> str:
        text = ""
        for step in steps:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += "." * bool(text) + self._names.setdefault(step, f"#{len(self._names)}")
        return text

    def value(self, value: AttributeValue) -> str:
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def holds(self, path: Sequence[Position], value: AttributeValue | None) -> str:
        """Whether this is what is there; None is nothing."""
        if value is None:
            return f"attribute_not_exists({self.path(*path)})"
        return f"{self.path(*path)} = {self.value(value)}"

    def of(self, table: str, key: Item, update: str, conditions: Sequence[str]) -> dict[str, Any]:
        request = {
            "TableName": table,
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {mark: name for name, mark in self._names.items()},
        }
        return request | ({"ExpressionAttributeValues": self._values} if self._values else {})


def removal(table: str, shape: RowShape, leaving: Leaving) -> dict[str, Any]:
    """Members go if each is where it was found and as it was, and so is what tells their row."""
    request = _Request()
    collection = attribute(leaving.item, shape.collection) or {}
    conditions = list(_of_row(request, shape, leaving.item))
    if "SS" in collection and len(shape.collection) > 1:
        conditions.append(request.holds(shape.collection, collection))
    else:
        for member in leaving.members:
            conditions += _of_member(request, shape, collection, member)
    positions = [member.position for member in leaving.members]
    update = _update(request, shape.collection, collection, positions)
    return request.of(table, shape.key_of(leaving.item), update, conditions)


def _update(
    request: _Request,
    path: AttributePath,
    collection: AttributeValue,
    positions: Sequence[Position],
) -> str:
    if "SS" not in collection:
        # The last of a list goes first: to DynamoDB all places are those before the update; where
        # they were those after the action before, an order from the front would take others out.
        places = sorted(positions, reverse=True)
        return "REMOVE " + ", ".join(request.path(*path, place) for place in places)
    if len(path) == 1:
        return f"DELETE {request.path(*path)} {request.value({'SS': list(positions)})}"
    # DELETE knows attributes of the row only, none inside of maps.
    if rest := [text for text in collection["SS"] if text not in positions]:
        return f"SET {request.path(*path)} = {request.value({'SS': rest})}"
    return f"REMOVE {request.path(*path)}"


def _of_row(request: _Request, shape: RowShape, item: Item) -> Iterator[str]:
    for path in shape.watched:
        if not shape.is_beside_id(path):
            yield request.holds(path, attribute(item, path))


def _of_member(
    request: _Request, shape: RowShape, collection: AttributeValue, member: Member
) -> Iterator[str]:
    (id_path, stored), *others = zip(shape.watched, shape.watched_in(member.item), strict=True)
    if "SS" in collection:
        text = request.value({"S": member.position})
        yield f"contains({request.path(*shape.collection)}, {text})"
        return  # nothing stands beside the text of a set
    if shape.is_keyed_by_id:
        yield f"attribute_exists({request.path(*shape.collection, member.position)})"
    else:
        yield request.holds(resolved(id_path, member.position), stored)
    for path, value in others:
        if shape.is_beside_id(path):
            yield request.holds(resolved(path, member.position), value)


def putting_back(table: str, returning: Returning) -> dict[str, Any]:
    """Members come back into a row that exists and has none under their keys."""
    request = _Request()
    key, path, members, held = returning
    ((kind, some),) = members.items()
    place = request.path(*path)
    conditions = [f"attribute_exists({request.path(next(iter(key)))})"]
    if kind == "SS" and len(path) == 1:
        return request.of(table, key, f"ADD {place} {request.value(members)}", conditions)
    if held is None or kind == "SS":
        whole = members if held is None else {kind: [*held[kind], *some]}
        conditions.append(request.holds(path, held))
        return request.of(table, key, f"SET {place} = {request.value(whole)}", conditions)
    if kind == "L":
        conditions.append(f"attribute_exists({place})")
        update = f"SET {place} = list_append({place}, {request.value(members)})"
        return request.of(table, key, update, conditions)
    entries = [request.path(*path, name) for name in some]
    conditions += [f"attribute_not_exists({entry})" for entry in entries]
    pairs = zip(entries, map(request.value, some.values()), strict=True)
    return request.of(table, key, "SET " + ", ".join(f"{a} = {b}" for a, b in pairs), conditions)
