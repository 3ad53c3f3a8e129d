"""Whether rows must stay when their connection is gone, and what then goes with the id."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from reaper.core.discovery.kinds import is_end, is_name_of_kind, kind_in, lasting_attributes
from reaper.core.discovery.places import IdPlace
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.rows.items import (
    AttributeValue,
    Item,
    attribute,
    attribute_path,
    is_empty,
    said_by,
    spelled,
    text_of,
)
from reaper.core.rows.members import collection_in
from reaper.core.rows.shape import IndexFacts

_ENDS_BY_ITSELF = re.compile(r"ttl|expir", re.I)
_OF_THE_ID = re.compile(r"token|session|conn|socket|^ws|node|server|nonce", re.I)
_FLAG = re.compile(r"^(is_?)?(connected|online|active|alive|presence|status|state)$", re.I)

MIN_WITNESSES = 3
"""So many rows without an id must show what goes with one."""


def eviction(
    items: Sequence[Item],
    rows: Sequence[int],
    place: IdPlace,
    key_names: Sequence[str],
    index_keys: Collection[str],
) -> list[Proposal]:
    """Nothing where a row is its connection's own, and so is deleted with it."""
    if not rows or all(_is_keyed(items[n], place.ids[n], key_names) for n in rows):
        return []
    path = attribute_path(place.setting)
    own = [items[n] for n in rows]
    known = {one for ids in place.ids.values() for one in ids}
    id_less = [
        item
        for n, item in enumerate(items)
        if n not in place.ids
        and (text_of(attribute(item, path)) or "") not in known
        and _is_of_their_kind(item, own, path[0], key_names)
    ]
    besides = {*key_names, path[0]}
    lasting = lasting_attributes(own, besides)
    ends = any(all(name in item for item in own) for name in _ending_names(own))
    if not id_less and (ends or not lasting):
        return []
    if id_less:
        why = f"{len(id_less):,} rows of the same kind hold no id: they stay when a client leaves"
    else:
        why = f"rows hold {', '.join(lasting[:3])}, so they may be somebody's: if they are deleted"
        why += " when a client leaves, REAPER_EVICT_ACTION=delete is right"
    found = [Proposal("EVICT_ACTION", "clear", why)]
    if gone := _gone_with_the_id(own, id_less, place, rows, index_keys, besides):
        found.append(Proposal("EVICT_REMOVE", ",".join(gone), "it belongs to the id"))
    if flags := _flags(own, id_less):
        why = "what rows without an id say instead"
        found.append(Proposal("EVICT_SET", json.dumps(flags), why))
    return found


def of_members(items: Sequence[Item], place: IdPlace) -> list[Proposal]:
    """What goes with a member that may be meant to stay. Each item has one member."""
    path = attribute_path(place.setting)
    entry = path[: len(collection_in(path)) + 1]
    own = [held["M"] for n in place.ids if "M" in (held := attribute(items[n], entry) or {})]
    found = []
    ends = sorted({name for one in own for name in one if is_end(name)})
    if lasting := lasting_attributes(own, {*path, *ends}):
        names = ", ".join(lasting[:3])
        found.append(remark(f"with a member goes what it holds ({names}): may that go?"))
    for name in ends:
        if any(is_empty(one.get(name)) for one in own):
            why = f"members with {name} may be history; no living client bears it out"
            value = f"!{spelled((*entry, name))}"
            found.append(Proposal("ROW_FILTER", value, why, is_sure=False))
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


def _ending_names(own: Sequence[Item]) -> list[str]:
    return [name for name in own[0] if _ENDS_BY_ITSELF.search(name)]


def _is_of_their_kind(
    item: Item, own: Sequence[Item], id_name: str, key_names: Sequence[str]
) -> bool:
    """Whether it has keys of the same form, and no attribute that none of them has."""
    names = {name for one in own for name in one}
    if set(item) - names or not set(item) - set(key_names) - {id_name}:
        return False
    kinds = [name for name in names if is_name_of_kind(name)]
    if any(
        said_by(item.get(kind)) not in {said_by(one.get(kind)) for one in own} for kind in kinds
    ):
        return False
    forms = {tuple(_form(one.get(name)) for name in key_names) for one in own}
    return tuple(_form(item.get(name)) for name in key_names) in forms or len(forms) > len(own) / 2


def _form(value: AttributeValue | None) -> str:
    """The part before a mark, or nothing."""
    kind = kind_in(value)
    return kind if kind != said_by(value) else ""


def _gone_with_the_id(
    own: Sequence[Item],
    id_less: Sequence[Item],
    place: IdPlace,
    rows: Sequence[int],
    index_keys: Collection[str],
    besides: Collection[str],
) -> list[str]:
    """Keys of indexes and tokens that rows without an id have not, or that hold the id."""
    names = {name for item in own for name in item} - {attribute_path(place.setting)[0]}
    found = []
    for name in sorted(names):
        holds_id = all(
            any(one in (text_of(item.get(name)) or "") for one in place.ids[n])
            for n, item in zip(rows, own, strict=True)
        )
        is_missing = len(id_less) >= MIN_WITNESSES and not any(name in item for item in id_less)
        belongs = name in index_keys or (_OF_THE_ID.search(name) and name not in besides)
        if belongs and (holds_id or is_missing):
            found.append(name)
    return found


def _flags(own: Sequence[Item], id_less: Sequence[Item]) -> dict[str, object]:
    """Flags and words of presence: of one value with an id, and of another one without."""
    found: dict[str, object] = {}
    for name in sorted({name for item in own for name in item if _FLAG.match(name)}):
        with_id, without = ({said_by(item.get(name)) for item in some} for some in (own, id_less))
        if len(id_less) >= MIN_WITNESSES and len(without) == 1 and not with_id & without:
            held = id_less[0].get(name)
            if held is not None:
                found[name] = held.get("BOOL", held.get("S"))
    return {name: value for name, value in found.items() if value is not None}
