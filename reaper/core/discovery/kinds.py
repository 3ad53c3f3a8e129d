"""Which rows of a table are connections, by what those have in common and others do not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reaper.core.discovery.places import IdPlace
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.rows.ids import is_own_partition
from reaper.core.rows.items import AttributeValue, Item, is_empty, said_by, text_of
from reaper.core.rows.times import read_time

_KIND_NAME = re.compile(r"^_*(type|kind|entity(_?type)?|typename|item_?type|model|category)$", re.I)
_CONNECTION_WORD = re.compile(r"conn|socket|\bws\b|^ws|session", re.I)
_MAIN_WORD = re.compile(r"^(meta(data)?|conn(ection)?|info|profile|main|root|a|#)$", re.I)
_ENDED = re.compile(
    r"^(disconnect(ed|ion)?|closed?|ended?|left|deleted|terminated|logged_?out)_?-?(at|on|time|ts|date)$",
    re.I,
)
_STATE = re.compile(
    r"^(is_?)?(connection_?)?(status|state|connected|active|online|alive|open|event(_?type)?)$",
    re.I,
)
_LIVING = re.compile(r"connect(ed)?|open|opened|active|online|alive|live|up|true|ready|1", re.I)
_CLOSED = re.compile(
    r"disconnect(ed)?|closed|inactive|offline|dead|ended|left|gone|false|0|terminated|timeout|error",
    re.I,
)
_PASSING = re.compile(
    r"(ttl|expir\w*|conn\w*|socket\w*|ws\w*|sock\w*|endpoint|domain|stage|time\w*|date|at|on|seen|ts"
    r"|user|client|room|channel|topic|group|tenant|org|id|ids|ip|agent|key|pk|sk|gsi\w*"
    r"|type|kind|entity|status|state|count|version|active|online|last|created|updated|joined|since"
    r"|node|region|subscri\w*|app|device|token|timestamp)\d*",
    re.I,
)
"""Words in the names of a connection's attributes. What has other names is somebody's."""

MAX_KINDS = 5
"""An attribute with more values than that does not say of what kind a row is."""


class SeveralKinds(Exception):
    """Rows of several kinds hold ids, and nothing tells which are connections."""


class Sample(NamedTuple):
    """Rows of a table, with what is known of the ids that they hold."""

    items: Sequence[Item]
    key_names: tuple[str, ...]
    alive: Collection[str]
    """Ids that the gateway knows."""


class Kinds(NamedTuple):
    rows: list[int]
    """The connection rows, by their index in the sample."""
    proposals: list[Proposal]


def is_name_of_kind(name: str) -> bool:
    """Whether an attribute of this name says of what kind a row is."""
    return _KIND_NAME.match(name) is not None


def is_end(name: str) -> bool:
    """Whether an attribute of this name says when a connection ended."""
    return _ENDED.match(name) is not None


def lasting_attributes(items: Iterable[Item], besides: Collection[str]) -> list[str]:
    """Attributes that are not those of a connection, such as ``email`` or ``score``."""
    names = {name for item in items for name in item} - set(besides)
    return sorted(name for name in names if not _is_passing(name))


def connection_rows(sample: Sample, place: IdPlace) -> Kinds:
    """Narrow the rows that hold an id down to those of connections that may be open.

    Raises SeveralKinds where that would be guessing.
    """
    rows = sorted(place.ids)
    proposals: list[Proposal] = []
    conditions: list[str] = []
    if is_several := _several_rows_of_one(sample, place, rows):
        condition, rows, dependents = is_several
        conditions.append(condition)
        lasting = lasting_attributes((sample.items[n] for n in dependents), sample.key_names)
        why = f"each connection has one row with {condition}, and others under its partition"
        why += f", which hold {', '.join(lasting[:3])}: may they go?" if lasting else ""
        proposals.append(Proposal("EVICT_SCOPE", "partition", why, is_sure=not lasting))
    elif kind := _kind_of_connections(sample, place, rows):
        condition, rows = kind
        conditions.append(condition)
    elif len(rows) < len(sample.items) and not _tells_others(sample, place, rows):
        if common := _common(sample, place, rows):
            conditions.append(common)
        else:
            few = len(sample.items) - len(rows)
            proposals.append(remark(f"{few:,} rows hold no connection id and are left alone"))
    proposals += _ended_though_alive(sample, place, rows)
    is_sure = True
    for history in (_ended(sample, place, rows), _state(sample, place, rows)):
        if history:
            condition, rows = history
            conditions.append(condition)
            is_sure = is_sure and bool(sample.alive)
    if conditions:
        others = len(sample.items) - len(rows)
        why = f"what {len(rows):,} connection rows have in common and {others:,} others have not"
        why += "" if is_sure else "; no living client bears it out"
        proposals.insert(0, Proposal("ROW_FILTER", " && ".join(conditions), why, is_sure))
    return Kinds(rows, proposals)


def _is_passing(name: str) -> bool:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return all(_PASSING.fullmatch(word) or word.isdigit() for word in words)


def _tells_others(sample: Sample, place: IdPlace, rows: Collection[int]) -> bool:
    """Whether the pattern passes all the other rows over, since they hold another text there."""
    own = set(rows)
    others = [item for n, item in enumerate(sample.items) if n not in own]
    return bool(place.pattern) and all(text_of(item.get(place.setting)) for item in others)


def _several_rows_of_one(
    sample: Sample, place: IdPlace, rows: Sequence[int]
) -> tuple[str, list[int], list[int]] | None:
    """Where a connection has several rows under a partition key of its own: the main one of them,
    by a condition, its rows, and the others. Raises SeveralKinds."""
    if place.setting != sample.key_names[0] or len(sample.key_names) < 2:
        return None
    distinct = {place.ids[n][0] for n in rows}
    own = (is_own_partition(sample.items[n][place.setting], place.ids[n][0]) for n in rows)
    if len(distinct) == len(rows) or not all(own):
        return None
    range_name = sample.key_names[1]
    kinds = [name for n in rows for name in sample.items[n] if _KIND_NAME.match(name)]
    for name in (range_name, *sorted(set(kinds))):
        by_value: defaultdict[str, list[int]] = defaultdict(list)
        for n in rows:
            by_value[said_by(sample.items[n].get(name)) or ""].append(n)
        for text, main in by_value.items():
            is_one_each = len({place.ids[n][0] for n in main}) == len(main) >= 0.9 * len(distinct)
            if is_one_each and (_MAIN_WORD.match(text) or _CONNECTION_WORD.search(text)):
                rest = sorted(set(rows) - set(main))
                return f"{name}={re.escape(text)}", main, rest
    lasting = lasting_attributes((sample.items[n] for n in rows), sample.key_names)
    if lasting:
        raise SeveralKinds(
            f"a connection has several rows, with {', '.join(lasting[:3])}, and nothing tells which"
            " is its own: set REAPER_ROW_FILTER"
        )
    return None


def _kind_of_connections(
    sample: Sample, place: IdPlace, rows: Sequence[int]
) -> tuple[str, list[int]] | None:
    """Where rows of several kinds hold ids: those of the kind whose name says connection, unless
    only another has living ones. Raises SeveralKinds where nothing tells.
    """
    found = None
    for name in _names_of_kinds(sample, rows):
        by_kind: defaultdict[str, list[int]] = defaultdict(list)
        for n in rows:
            by_kind[kind_in(sample.items[n].get(name))].append(n)
        if not 2 <= len(by_kind) <= MAX_KINDS or (name == place.setting and place.pattern):
            continue
        named = [kind for kind in by_kind if _CONNECTION_WORD.search(kind)]
        if sample.alive and _none_alive(sample, place, [n for one in named for n in by_kind[one]]):
            named = _living_kinds(sample, place, name, by_kind)
        if len(named) == 1:
            text = re.escape(named[0])
            pattern = text if _is_whole(sample, name, by_kind[named[0]]) else f"{text}[#|:/].*"
            return f"{name}={pattern}", by_kind[named[0]]
        if _says_kinds(sample, name, by_kind):
            found = found or (name, by_kind)
    if found:
        name, by_kind = found
        kinds = ", ".join(sorted(kind or "no such attribute" for kind in by_kind))
        raise SeveralKinds(
            f"rows of several kinds hold ids in {place.setting}, by {name}: {kinds}. Set"
            " REAPER_ROW_FILTER to those that are connections"
        )
    return None


def _living_kinds(
    sample: Sample, place: IdPlace, name: str, by_kind: Mapping[str, Sequence[int]]
) -> list[str]:
    """Those whose ids the gateway knows: whatever the others are called, they are over."""
    if not _says_kinds(sample, name, by_kind):
        return []
    return [kind for kind, rows in by_kind.items() if not _none_alive(sample, place, rows)]


def _names_of_kinds(sample: Sample, rows: Sequence[int]) -> list[str]:
    """Attributes that say of what kind a row is, and then keys."""
    names = {name for n in rows for name in sample.items[n]}
    return sorted(name for name in names if _KIND_NAME.match(name)) + list(sample.key_names[::-1])


def _says_kinds(sample: Sample, name: str, by_kind: Mapping[str, Sequence[int]]) -> bool:
    """Whether its values are names of kinds, and not of rooms or users: by its own name, or since
    they stand before a mark, each in several rows."""
    if _KIND_NAME.match(name):
        return True
    has_marks = any(
        "#" in (text_of(sample.items[n].get(name)) or "") for ns in by_kind.values() for n in ns
    )
    return has_marks and (len(by_kind) <= 3 or min(map(len, by_kind.values())) > 1)


def kind_in(value: AttributeValue | None) -> str:
    """What stands before a mark, or all of it where there is none."""
    return re.split(r"[#|:/]", said_by(value) or "")[0]


def _is_whole(sample: Sample, name: str, rows: Sequence[int]) -> bool:
    return all(kind_in(v := sample.items[n].get(name)) == said_by(v) for n in rows)


def _common(sample: Sample, place: IdPlace, rows: Sequence[int]) -> str | None:
    """A word or flag that is the same in all of them, and in no other row."""
    own = set(rows)
    others = [item for n, item in enumerate(sample.items) if n not in own]
    names = {name for n in rows for name in sample.items[n]} - {place.setting}
    for name in sorted(names, key=lambda one: (not _KIND_NAME.match(one), one)):
        held = [sample.items[n].get(name) for n in rows]
        values = {said_by(value) for value in held}
        is_word = all(value and ("S" in value or "BOOL" in value) for value in held)
        is_kind = _KIND_NAME.match(name) or name in sample.key_names or len(rows) >= 3
        if not is_word or not is_kind or len(values) != 1 or read_time(held[0]):
            continue
        (value,) = values
        if not any(said_by(item.get(name)) == value for item in others):
            return f"{name}={re.escape(str(value))}"
    return None


def _ended(sample: Sample, place: IdPlace, rows: list[int]) -> tuple[str, list[int]] | None:
    """Closed connections that stay as history, told by the time of their end."""
    for name in sorted({name for n in rows for name in sample.items[n]}):
        if not _ENDED.match(name):
            continue
        open_rows = [n for n in rows if is_empty(sample.items[n].get(name))]
        closed = set(rows) - set(open_rows)
        if open_rows and closed and _none_alive(sample, place, closed):
            return f"!{name}", open_rows
    return None


def _ended_though_alive(sample: Sample, place: IdPlace, rows: Sequence[int]) -> Iterator[Proposal]:
    """What looks like the time of an end, and is on rows of living clients too."""
    for name in sorted({name for n in rows for name in sample.items[n] if _ENDED.match(name)}):
        held = [n for n in rows if not is_empty(sample.items[n].get(name))]
        living = sum(any(one in sample.alive for one in place.ids[n]) for n in held)
        if living and len(held) < len(rows):
            why = (
                f"{name} is on {living:,} rows of living clients too, so it is no filter by itself"
            )
            yield Proposal("ROW_FILTER", f"!{name}", why, is_sure=False)


def _state(sample: Sample, place: IdPlace, rows: list[int]) -> tuple[str, list[int]] | None:
    """The same, told by a word or a flag: what no living client has is closed."""
    for name in sorted({name for n in rows for name in sample.items[n]}):
        if not _STATE.match(name):
            continue
        by_value: defaultdict[str, list[int]] = defaultdict(list)
        for n in rows:
            by_value[said_by(sample.items[n].get(name)) or ""].append(n)
        if sample.alive:
            living = [v for v, ns in by_value.items() if not _none_alive(sample, place, ns)]
        else:
            living = [value for value in by_value if _LIVING.fullmatch(value)]
        closed = [value for value in by_value if value not in living]
        says_so = any(_CLOSED.fullmatch(value) for value in closed)
        if not living or "" in living or not says_so or len(living) > MAX_KINDS:
            continue
        open_rows = sorted(n for value in living for n in by_value[value])
        return f"{name}={'|'.join(re.escape(value) for value in sorted(living))}", open_rows
    return None


def _none_alive(sample: Sample, place: IdPlace, rows: Collection[int]) -> bool:
    """None of them, as far as was asked."""
    return not any(one in sample.alive for n in rows for one in place.ids[n])
