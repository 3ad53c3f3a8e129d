"""Rows that hold many connections: each member of a collection, as an item of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from reaper.core.rows.items import (
    EACH,
    EACH_KEY,
    MARKS,
    AttributePath,
    AttributeValue,
    Identity,
    Item,
    Position,
    attribute,
    members,
    text_of,
)


class Member(NamedTuple):
    position: Position
    item: Item
    """The row as if it held this member alone."""


class Leaving(NamedTuple):
    """Members that go out of one row together."""

    item: Item
    """The whole row, as it was when they were found in it."""
    members: list[Member]


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


def members_of(item: Item, connection_id: AttributePath, kept: Collection[str]) -> Iterator[Member]:
    """What the collection on the path to the ids holds.

    Of each member's item there is the collection, and the attributes of the row that are ``kept``.
    """
    path = collection_in(connection_id)
    value = attribute(item, path)
    if value is None:
        return
    of_row = {name: held for name, held in item.items() if name in kept or name == path[0]}
    for position, held in members(value, connection_id[len(path)]):
        yield Member(position, put(of_row, path, _alone(value, position, held)))


def stored_id(item: Item, connection_id: AttributePath) -> AttributeValue | None:
    """The text that holds the id of an item's only member: a key, where those are the ids."""
    if connection_id[-1] != EACH_KEY:
        return attribute(item, connection_id)
    keys = (attribute(item, connection_id[:-1]) or {}).get("M", {})
    return {"S": next(iter(keys))} if len(keys) == 1 else None


def member_identity(row: Identity, item: Item, connection_id: AttributePath) -> Identity:
    """What tells an item's only member from all others, of this row and of others."""
    return (*row, (EACH, "S", text_of(stored_id(item, connection_id)) or ""))


def joined(items: Sequence[Item], path: AttributePath) -> AttributeValue:
    """A collection of the only members that these items have at ``path``."""
    ((kind, _),) = (attribute(items[0], path) or {}).items()
    held = [(attribute(item, path) or {})[kind] for item in items]
    if kind == "M":
        return {kind: {key: value for entry in held for key, value in entry.items()}}
    return {kind: [one for members in held for one in members]}


def _alone(collection: AttributeValue, position: Position, held: AttributeValue) -> AttributeValue:
    if "SS" in collection:
        return {"SS": [position]}
    return {"L": [held]} if "L" in collection else {"M": {position: held}}


def put(held: Item, path: AttributePath, value: AttributeValue) -> Item:
    """The same item with another value at ``path``, around which its maps are there."""
    name, *rest = path
    return held | {name: {"M": put(held[name]["M"], tuple(rest), value)} if rest else value}
