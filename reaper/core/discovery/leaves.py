"""The texts and times of an item, each with the name by which a setting would lead to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reaper.core.rows.items import EACH_KEY, AttributeValue, Item
from reaper.core.rows.times import is_plausible, read_time

MAX_DEPTH = 4
MARK = re.compile(r"\[\]|\{\}")

_UNSPEAKABLE = re.compile(r"[.,\n\[\]{}]|^\s|\s$")
"""In the name of an attribute: no setting could name it, since a dot leads into a map."""

MAX_MEMBERS = 25
"""Of a collection, so many are looked at."""


def leaves(item: Item) -> Iterator[tuple[str, AttributeValue]]:
    """Values that are no collections: ``a.b`` in maps, ``a[]`` for members of a list or set of
    texts, ``a[].b`` in a list of maps. Names that no setting can spell are left out.
    """
    for name, value in _speakable(item):
        yield from _leaves(name, value, MAX_DEPTH)


def keyed_maps(item: Item) -> Iterator[tuple[str, list[str]]]:
    """The keys of each map: ``a{}``."""
    for name, value in _speakable(item):
        yield from _keyed_maps(name, value, MAX_DEPTH)


def entry_leaves(item: Item) -> Iterator[tuple[str, str, AttributeValue]]:
    """Values in the entries of maps, with the keys of those: ``a{}.b``, or ``a{}.`` for an entry
    that is the value.
    """
    for name, value in _speakable(item):
        yield from _entry_leaves(name, value, MAX_DEPTH)


def _leaves(name: str, value: AttributeValue, depth: int) -> Iterator[tuple[str, AttributeValue]]:
    (kind, held), *_ = value.items()
    if depth == 0:
        return
    match kind:
        case "M":
            yield name, value  # protobuf has times that are maps
            for inner, one in _speakable(held):
                step = inner if MARK.fullmatch(inner) else f".{inner}"
                yield from _leaves(f"{name}{step}", one, depth - 1)
        case "SS":
            for text in held[:MAX_MEMBERS]:
                yield f"{name}[]", {"S": text}
        case "L":
            for one in held[:MAX_MEMBERS]:
                yield from _of_member(name, one, depth)
        case _:
            yield name, value


def _of_member(name: str, one: AttributeValue, depth: int) -> Iterator[tuple[str, AttributeValue]]:
    for inner, value in _speakable(one.get("M", {})):
        yield from _leaves(f"{name}[].{inner}", value, depth - 1)
    if "S" in one:
        yield f"{name}[]", one


def _keyed_maps(name: str, value: AttributeValue, depth: int) -> Iterator[tuple[str, list[str]]]:
    if depth and "M" in value:
        yield f"{name}{{}}", list(value["M"])[:MAX_MEMBERS]
        for inner, one in _speakable(value["M"]):
            yield from _keyed_maps(f"{name}.{inner}", one, depth - 1)


def _entry_leaves(
    name: str, value: AttributeValue, depth: int
) -> Iterator[tuple[str, str, AttributeValue]]:
    if depth == 0 or "M" not in value:
        return
    for key, entry in list(value["M"].items())[:MAX_MEMBERS]:
        yield f"{name}{{}}.", key, entry
        for inner, one in _speakable(entry.get("M", {})):
            for setting, held in _leaves(f"{name}{{}}.{inner}", one, depth - 1):
                yield setting, key, held
    for inner, one in _speakable(value["M"]):
        yield from _entry_leaves(f"{name}.{inner}", one, depth - 1)


def _speakable(held: Item) -> Iterator[tuple[str, AttributeValue]]:
    return (
        (name, value)
        for name, value in held.items()
        if name == EACH_KEY or not _UNSPEAKABLE.search(name)
    )


def collection_of(name: str) -> str:
    """The collection, with its mark, whose members an attribute is told of; else nothing."""
    mark = MARK.search(name)
    return name[: mark.end()] if mark else ""


def newest_time(item: Item, now: float) -> float:
    """The latest moment, up to now, that any of its values may stand for; 0 where there is none."""
    times = [time for _, value in leaves(item) if (time := read_time(value)) is not None]
    return max((one.seconds for one in times if is_plausible(one, now)), default=0.0)
