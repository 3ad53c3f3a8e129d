"""DynamoDB items in wire form: what they hold, and where in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

AttributeValue = dict[str, Any]
"""A DynamoDB attribute in wire form, such as ``{"S": "abc="}``; binary ones hold bytes."""

Item = dict[str, AttributeValue]
"""A DynamoDB item in wire form."""

AttributePath = tuple[str, ...]
"""An attribute's name, or the names that lead through maps to it. One step may be a mark."""

EACH, EACH_KEY = MARKS = "[]", "{}"
"""Steps of a path that mean every member of a list or set, and every entry of a map: of a row that
holds many connections. Where a row has one member only, they lead to that."""

Position = str | int
"""Of a member: its index in a list, its key in a map, its text in a set."""

Identity = tuple[tuple[str, str, str | bytes], ...]
"""A primary key as a value that can be looked up: name, type and value of each part."""

MAX_VALUE_LENGTH = 512
"""An id and whatever stands around it. A regular expression may take for ever over a longer value,
which somebody may have chosen for that."""

_BRACKET = re.compile(r"[\[\]{}]")

Getter = Callable[[Item], AttributeValue | None]


def attribute_path(name: str) -> AttributePath:
    """``data.endpoint`` leads through a map, ``clients[].id`` through a list, ``clients{}`` to the
    entries of a map; names may hold hyphens. Raises ValueError.
    """
    path: list[str] = []
    for step in name.strip().split("."):
        mark = next((mark for mark in MARKS if step.endswith(mark)), "")
        path += [step.removesuffix(mark), mark] if mark else [step]
    if not all(path):
        raise ValueError("must be an attribute name, or names joined by single dots")
    names = [step for step in path if step not in MARKS]
    if len(path) - len(names) > 1 or any(_BRACKET.search(one) for one in names):
        raise ValueError(
            "must name one collection at most, by [] or {} after its name: clients[].connectionId"
        )
    return tuple(path)


def spelled(path: AttributePath) -> str:
    """As ``attribute_path`` reads it."""
    text = ".".join(path)
    for mark in MARKS:
        text = text.replace(f".{mark}", mark)
    return text


def attribute(item: Item, path: AttributePath) -> AttributeValue | None:
    """The value at ``path``; None where any step of it is absent, or there is none."""
    value: AttributeValue | None = item.get(path[0]) if path else None
    for name in path[1:]:
        if value is None:
            return None
        if name in MARKS:
            held = [one for _, one in members(value, name)]
            value = held[0] if len(held) == 1 else None
        else:
            value = value["M"].get(name) if "M" in value else None
    return value


def members(value: AttributeValue, mark: str) -> Iterator[tuple[Position, AttributeValue]]:
    """What a collection holds, each with its place in it; nothing where it is no such one."""
    if mark == EACH_KEY:
        yield from value.get("M", {}).items()
    elif "SS" in value:
        yield from ((text, {"S": text}) for text in value["SS"])
    else:
        yield from enumerate(value.get("L", ()))


def identity(key: Item) -> Identity:
    """What tells a row from all others of its table, from its primary key."""
    return tuple(
        sorted((name, kind, value) for name, held in key.items() for kind, value in held.items())
    )


def getter(path: AttributePath) -> Getter:
    """``attribute`` for one path, faster where that is a single name."""
    if len(path) == 1:
        (name,) = path
        return lambda item: item.get(name)
    return partial(attribute, path=path)


def text_of(value: AttributeValue | None) -> str | None:
    """What a string or a number says; None for anything else."""
    if value is None:
        return None
    text = value.get("S")
    return value.get("N") if text is None else text


def said_by(value: AttributeValue | None) -> str | None:
    """What a string, a number or a boolean says, the last as in JSON; None for anything else."""
    if value is not None and "BOOL" in value:
        return "true" if value["BOOL"] else "false"
    return text_of(value)


def is_empty(value: AttributeValue | None) -> bool:
    """Whether it is absent, null, or an empty string or collection."""
    if value is None or "NULL" in value:
        return True
    return not any(held or held is False for held in value.values())


def to_wire(value: Any) -> AttributeValue:
    """A value as JSON has it, in wire form."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case list():
            return {"L": [to_wire(held) for held in value]}
        case dict():
            return {"M": {name: to_wire(held) for name, held in value.items()}}
        case _:
            return {"N": str(value)}


def item_from_json(item: dict[str, Any]) -> Item:
    """An item out of JSON, where binary values are in base64.

    Raises ValueError, or KeyError, TypeError or AttributeError, for what is no item.
    """
    return {name: _from_json(value) for name, value in item.items()}


def _from_json(value: dict[str, Any]) -> AttributeValue:
    ((kind, held),) = value.items()
    match kind:
        case "B":
            return {kind: base64.b64decode(held)}
        case "BS":
            return {kind: [base64.b64decode(one) for one in held]}
        case "M":
            return {kind: item_from_json(held)}
        case "L":
            return {kind: [_from_json(one) for one in held]}
        case "S" | "N" | "SS" | "NS" | "BOOL" | "NULL":
            return value
        case _:
            raise ValueError(f"holds a value of unknown type {kind}")
