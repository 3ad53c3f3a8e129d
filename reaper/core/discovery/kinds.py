"""Which rows of a table are connections, by what those have in common and others do not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from reaper.core.discovery.places import IdPlace
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.rows.ids import is_own_partition
from reaper.core.rows.items import AttributeValue, Item, text_of

_ENDED = re.compile(
    r"(disconnect|clos|left|ended|delet|terminat|logg?ed?_?out)\w*?(at|on|time|ts|date)?$", re.I
)
_STATE = re.compile(r"status|state|connected|active|online|alive|open", re.I)
_LIVING = re.compile(r"connected|open|opened|active|online|alive|live|up|true|ready", re.I)

MAX_KINDS = 5
"""An attribute with more values than that does not say of what kind a row is."""


class Sample(NamedTuple):
    """Rows of a table, with what is known of the ids that they hold."""

    items: Sequence[Item]
    key_names: tuple[str, ...]
    alive: Collection[str]
    """Ids that the gateway knows."""
    gone: Collection[str]
    """Ids that it was asked after and does not know."""


class Kinds(NamedTuple):
    rows: list[int]
    """The connection rows, by their index in the sample."""
    proposals: list[Proposal]


def connection_rows(sample: Sample, place: IdPlace) -> Kinds:
    """Narrow the rows that hold an id down to those of connections that may be open."""
    rows = sorted(place.ids)
    proposals: list[Proposal] = []
    conditions: list[str] = []
    if dependents := _main_row_of_partition(sample, place, rows):
        condition, rows = dependents
        conditions.append(condition)
        why = f"each connection has one row with {condition}, and others under its partition"
        proposals.append(Proposal("EVICT_SCOPE", "partition", why))
    elif len(rows) < len(sample.items) and not _tells_others(sample, place, rows):
        if common := _common(sample, rows):
            conditions.append(common)
        else:
            few = len(sample.items) - len(rows)
            proposals.append(remark(f"{few:,} rows hold no connection id and are left alone"))
    for history in (_ended(sample, place, rows), _state(sample, place, rows)):
        if history:
            condition, rows = history
            conditions.append(condition)
    if conditions:
        others = len(sample.items) - len(rows)
        why = f"what {len(rows):,} connection rows have in common and {others:,} others have not"
        proposals.insert(0, Proposal("ROW_FILTER", " && ".join(conditions), why))
    return Kinds(rows, proposals)


def _tells_others(sample: Sample, place: IdPlace, rows: Collection[int]) -> bool:
    """Whether the pattern passes all the other rows over, since they hold another text there."""
    own = set(rows)
    others = [item for n, item in enumerate(sample.items) if n not in own]
    return bool(place.pattern) and all(text_of(item.get(place.setting)) for item in others)


def _main_row_of_partition(
    sample: Sample, place: IdPlace, rows: Sequence[int]
) -> tuple[str, list[int]] | None:
    """Where a connection has several rows under a partition key of its own: which is the first."""
    if place.setting != sample.key_names[0] or len(sample.key_names) < 2:
        return None
    by_id: defaultdict[str, list[int]] = defaultdict(list)
    for n in rows:
        by_id[place.ids[n][0]].append(n)
    if len(by_id) == len(rows):
        return None
    if not all(
        is_own_partition(sample.items[n][place.setting], one)
        for one, ns in by_id.items()
        for n in ns
    ):
        return None
    names = [sample.key_names[1], *sorted({name for n in rows for name in sample.items[n]})]
    for name in names:
        values: Counter[str] = Counter()
        for n in rows:
            if (text := _kind_of(sample.items[n].get(name))) is not None:
                values[text] += 1
        for text, count in values.items():
            own = [n for n in rows if _kind_of(sample.items[n].get(name)) == text]
            if count == len(by_id) and len({place.ids[n][0] for n in own}) == count:
                return f"{name}={re.escape(text)}", own
    return None


def _common(sample: Sample, rows: Sequence[int]) -> str | None:
    """An attribute that has the same value in all of them, and in no other row."""
    own = set(rows)
    others = [item for n, item in enumerate(sample.items) if n not in own]
    names = sorted({name for n in rows for name in sample.items[n]})
    for name in names:
        values = {_kind_of(sample.items[n].get(name)) for n in rows}
        if None in values or len(values) > MAX_KINDS:
            continue
        if not any(_kind_of(item.get(name)) in values for item in others):
            return f"{name}={'|'.join(re.escape(str(value)) for value in sorted(map(str, values)))}"
    return None


def _ended(sample: Sample, place: IdPlace, rows: list[int]) -> tuple[str, list[int]] | None:
    """Closed connections that stay as history, told by the time of their end."""
    for name in sorted({name for n in rows for name in sample.items[n]}):
        if not _ENDED.match(name) or name == place.setting:
            continue
        open_rows = [n for n in rows if _is_empty(sample.items[n].get(name))]
        closed = set(rows) - set(open_rows)
        if open_rows and closed and not _any_alive(sample, place, closed):
            return f"!{name}", open_rows
    return None


def _state(sample: Sample, place: IdPlace, rows: list[int]) -> tuple[str, list[int]] | None:
    """The same, told by a word or a flag."""
    for name in sorted({name for n in rows for name in sample.items[n]}):
        if not _STATE.search(name):
            continue
        by_value: defaultdict[str | None, list[int]] = defaultdict(list)
        for n in rows:
            by_value[_kind_of(sample.items[n].get(name))].append(n)
        if not 2 <= len(by_value) <= MAX_KINDS:
            continue
        living = [value for value in by_value if value and _LIVING.fullmatch(value)]
        if len(living) != 1:
            continue
        others = {n for value, ns in by_value.items() if value != living[0] for n in ns}
        if not _any_alive(sample, place, others):
            return f"{name}={re.escape(living[0])}", by_value[living[0]]
    return None


def _any_alive(sample: Sample, place: IdPlace, rows: Collection[int]) -> bool:
    return any(one in sample.alive for n in rows for one in place.ids[n])


def _is_empty(value: AttributeValue | None) -> bool:
    return value is None or "NULL" in value or value.get("S") == ""


def _kind_of(value: AttributeValue | None) -> str | None:
    """What a text, a number or a flag says."""
    if value is not None and "BOOL" in value:
        return "true" if value["BOOL"] else "false"
    return text_of(value)
