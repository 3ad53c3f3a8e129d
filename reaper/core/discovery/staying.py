"""Whether rows must stay when their connection is gone, and what then goes with the id."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from reaper.core.discovery.places import IdPlace
from reaper.core.discovery.proposal import Proposal
from reaper.core.rows.items import AttributeValue, Item, attribute, attribute_path, text_of
from reaper.core.rows.shape import IndexFacts

_OWNER = re.compile(r"user|player|account|member|customer|profile|device|person|agent|driver", re.I)
_PASSING = re.compile(r"ttl|expir|conn|socket|endpoint|domain|stage|time|date|_?at$|seen", re.I)
"""What rows of connections have that are nobody's in particular."""


def eviction(
    items: Sequence[Item],
    rows: Sequence[int],
    place: IdPlace,
    key_names: Sequence[str],
    index_keys: Collection[str],
) -> list[Proposal]:
    """Nothing where a row is its connection's own, and so is deleted with it."""
    if place.is_of_members or any(_is_keyed(items[n], place.ids[n], key_names) for n in rows):
        return []
    path = attribute_path(place.setting)
    id_less = [
        item
        for n, item in enumerate(items)
        if n not in place.ids and not text_of(attribute(item, path)) and _is_like(item, items, rows)
    ]
    own = [items[n] for n in rows]
    others = {name for item in own for name in item} - {*key_names, path[0]}
    is_owned = any(_OWNER.search(name) for name in key_names)
    lasting = [name for name in sorted(others) if not _PASSING.search(name)]
    if not id_less and not (is_owned and lasting):
        return []
    if id_less:
        why = f"{len(id_less):,} rows of the same kind hold no id: they stay when a client leaves"
    else:
        why = f"keyed by {key_names[0]}, with {', '.join(lasting[:3])}: if such a row is deleted"
        why += " when its client leaves, REAPER_EVICT_ACTION=delete"
    found = [Proposal("EVICT_ACTION", "clear", why)]
    gone = [
        name
        for name in sorted(others)
        if (name in index_keys or id_less)
        and all(name in item for item in own)
        and not any(name in item for item in id_less)
    ]
    if gone:
        found.append(Proposal("EVICT_REMOVE", ",".join(gone), "rows without an id have none of it"))
    if flags := _flags(own, id_less, others):
        why = "what rows without an id say instead"
        found.append(Proposal("EVICT_SET", json.dumps(flags), why))
    return found


def sparse_index(
    items: Sequence[Item], rows: Sequence[int], indexes: Sequence[IndexFacts]
) -> list[Proposal]:
    """An index that holds the connection rows and no others, where those are most of the table."""
    own = set(rows)
    for index in indexes:
        holds = {n for n, item in enumerate(items) if all(key in item for key in index.key_names)}
        if holds == own and len(own) * 2 < len(items) and index.holds_all:
            why = f"it holds the {len(own):,} connection rows and nothing else, so reads less"
            return [Proposal("TABLE_INDEX", index.name, why)]
    return []


def _is_keyed(item: Item, ids: Sequence[str], key_names: Sequence[str]) -> bool:
    return any(one in (text_of(item[name]) or "") for one in ids for name in key_names)


def _is_like(item: Item, items: Sequence[Item], rows: Sequence[int]) -> bool:
    """Whether it has about the same attributes as those with an id."""
    model = set(items[rows[0]]) if rows else set()
    return len(model & set(item)) * 2 >= len(item)


def _flags(
    own: Sequence[Item], id_less: Sequence[Item], names: Collection[str]
) -> dict[str, object]:
    """Attributes of one value with an id, and of another one without."""
    found: dict[str, object] = {}
    for name in sorted(names) if id_less else ():
        with_id = {_plain(item.get(name)) for item in own}
        without = {_plain(item.get(name)) for item in id_less}
        if len(with_id) == len(without) == 1 and with_id != without and None not in without:
            (found[name],) = without
    return found


def _plain(value: AttributeValue | None) -> object:
    """Of a flag or a word; None for anything else."""
    if value is None:
        return None
    return value.get("BOOL", value.get("S"))
