"""Rows that hold many connections: each member of a collection, as an item of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from reaper.core.rows.items import (
    EACH_KEY,
    MARKS,
    AttributePath,
    AttributeValue,
    Item,
    Position,
    attribute,
    members,
)


class Member(NamedTuple):
    position: Position
    item: Item
    """The row as if it held this member alone."""
    occurrence: int = 0
    """How many before it in the row have the same id: a list may hold one twice."""


class Leaving(NamedTuple):
    """Members that go out of one row together."""

    item: Item
    """The whole row, as it was when they were found in it."""
    members: list[Member]


class Returning(NamedTuple):
    """Members that come back into one row together."""

    key: Item
    path: AttributePath
    """To their collection."""
    members: AttributeValue
    """A collection of them alone."""
    held: AttributeValue | None
    """The collection that is there now."""


def collection_in(path: AttributePath) -> AttributePath:
    """The part of a path that leads to a collection; empty where it leads through none."""
    mark = next((n for n, step in enumerate(path) if step in MARKS), 0)
    return path[:mark]


def resolved(path: AttributePath, position: Position) -> tuple[Position, ...]:
    """The same path, to the member at that position."""
    return tuple(position if step in MARKS else step for step in path)


def is_collection(value: AttributeValue | None) -> bool:
    """Whether a value is a set of texts or a list, so that it may hold many ids."""
    return value is not None and ("SS" in value or "L" in value)


def members_of(item: Item, connection_id: AttributePath, around: Item) -> Iterator[Member]:
    """What the collection on the path to the ids holds.

    Each member's item is ``around``, what is wanted of the row, and the collection with it alone.
    """
    path = collection_in(connection_id)
    value = attribute(item, path)
    if value is not None:
        for position, held in members(value, connection_id[len(path)]):
            yield Member(position, put(around, path, _alone(value, position, held)))


def is_emptied(item: Item, connection_id: AttributePath) -> bool:
    """Whether an item has the collection, of the kind that is meant, and nobody is in it."""
    path = collection_in(connection_id)
    kind = "M" if connection_id[len(path)] == EACH_KEY else "L"
    value = attribute(item, path)
    return value is not None and value.get(kind) in ({}, [])


def stored_id(item: Item, connection_id: AttributePath) -> AttributeValue | None:
    """The text that holds the id of an item's only member: a key, where those are the ids."""
    if connection_id[-1] != EACH_KEY:
        return attribute(item, connection_id)
    keys = (attribute(item, connection_id[:-1]) or {}).get("M", {})
    return {"S": next(iter(keys))} if len(keys) == 1 else None


def joined(items: Sequence[Item], path: AttributePath) -> AttributeValue:
    """A collection, of one kind, of the only members that these items have at ``path``."""
    ((kind, _),) = (attribute(items[0], path) or {}).items()
    held = [(attribute(item, path) or {})[kind] for item in items]
    if kind == "M":
        return {kind: {key: value for entry in held for key, value in entry.items()}}
    return {kind: [one for members in held for one in members]}


def picked(item: Item, paths: Iterable[AttributePath]) -> Item:
    """What an item holds at these paths, and nothing else."""
    found = ((path, value) for path in paths if (value := attribute(item, path)) is not None)
    return reduce(lambda picked, one: put(picked, *one), found, {})


def put(held: Item, path: AttributePath, value: AttributeValue) -> Item:
    """The same item with another value at ``path``, in maps that are made where there are none."""
    name, *rest = path
    if not rest:
        return held | {name: value}
    inside = held.get(name, {}).get("M", {})
    return held | {name: {"M": put(inside, tuple(rest), value)}}


def _alone(collection: AttributeValue, position: Position, held: AttributeValue) -> AttributeValue:
    if "SS" in collection:
        return {"SS": [position]}
    return {"L": [held]} if "L" in collection else {"M": {position: held}}
