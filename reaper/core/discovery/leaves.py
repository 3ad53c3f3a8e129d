"""The texts and times of an item, each with the name by which a setting would lead to it."""

from __future__ import annotations

from collections.abc import Iterator

from reaper.core.rows.items import AttributeValue, Item
from reaper.core.rows.times import read_time

MAX_DEPTH = 4
_FAR_AHEAD = 4e9
"""Epoch seconds of the year 2096: what is later is no time."""

MAX_MEMBERS = 100
"""Of a collection, so many are looked at."""


def leaves(item: Item) -> Iterator[tuple[str, AttributeValue]]:
    """Values that are no collections: ``a.b`` in maps, ``a`` for members of a list or set of
    texts, ``a[].b`` in a list of maps.
    """
    for name, value in item.items():
        yield from _leaves(name, value, MAX_DEPTH)


def keyed_maps(item: Item) -> Iterator[tuple[str, list[str]]]:
    """The keys of each map: ``a{}``."""
    for name, value in item.items():
        yield from _keyed_maps(name, value, MAX_DEPTH)


def _leaves(name: str, value: AttributeValue, depth: int) -> Iterator[tuple[str, AttributeValue]]:
    (kind, held), *_ = value.items()
    if depth == 0:
        return
    match kind:
        case "M":
            yield name, value  # protobuf has times that are maps
            for inner, one in held.items():
                yield from _leaves(f"{name}.{inner}", one, depth - 1)
        case "SS":
            for text in held[:MAX_MEMBERS]:
                yield name, {"S": text}
        case "L":
            for one in held[:MAX_MEMBERS]:
                yield from _of_member(name, one, depth)
        case _:
            yield name, value


def _of_member(name: str, one: AttributeValue, depth: int) -> Iterator[tuple[str, AttributeValue]]:
    for inner, value in one.get("M", {}).items():
        yield from _leaves(f"{name}[].{inner}", value, depth - 1)
    if "S" in one:
        yield name, one


def _keyed_maps(name: str, value: AttributeValue, depth: int) -> Iterator[tuple[str, list[str]]]:
    if depth and "M" in value:
        yield f"{name}{{}}", list(value["M"])[:MAX_MEMBERS]
        for inner, one in value["M"].items():
            yield from _keyed_maps(f"{name}.{inner}", one, depth - 1)


def newest_time(item: Item) -> float:
    """The latest moment that any of its values may stand for; long ago where there is none."""
    times = [time.seconds for _, value in leaves(item) if (time := read_time(value)) is not None]
    return max((one for one in times if one < _FAR_AHEAD), default=0.0)
