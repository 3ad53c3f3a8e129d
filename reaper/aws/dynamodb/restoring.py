"""Rows of the audit log, put back into their table, and never over a newer one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import structlog

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.core.audit import AuditLine
from reaper.core.errors import TableError
from reaper.core.model import Change
from reaper.core.rows.items import EACH_KEY, Item, attribute, identity
from reaper.core.rows.members import Returning, collection_in, joined, members_of, stored_id
from reaper.core.sweep_rules import EvictAction

log = structlog.get_logger()

ENTRIES_TOGETHER = 40
"""Of a map, put back by one update: each has a condition of its own."""


class Fate(StrEnum):
    """What becomes of a row whose line says that it was evicted."""

    RESTORED = "put back"
    NEWER = "left alone: a row, or another connection's id, is there by now"
    NO_ROW = "left alone: the row or map that the id went from is gone by now"
    FAILED = "failed"


class _Found(NamedTuple):
    """What stands in the way of a line, or what came of it."""

    fate: Fate
    """``RESTORED`` where nothing does."""
    item: Item | None
    """The row with its key, as it is now."""


def what_would_be(table: ConnectionsTable, lines: Sequence[AuditLine]) -> list[Fate]:
    """What would come of putting back what each line tells of. Raises TableError if refused."""
    return [found.fate for found in _what_would_be(table, lines)]


def put_back_all(
    table: ConnectionsTable, lines: Sequence[AuditLine], pool: ThreadPoolExecutor
) -> list[Fate]:
    """Put back what nothing stands in the way of. Raises TableError where it is refused."""
    found = _put_back_all(table, lines, _what_would_be(table, lines), pool)
    return [one.fate for one in found]


def _put_back_all(
    table: ConnectionsTable,
    lines: Sequence[AuditLine],
    found: Sequence[_Found],
    pool: ThreadPoolExecutor,
) -> list[_Found]:
    """Write what nothing stands in the way of. Returns what came of all of them.

    Reads, and writes of members, stay on this thread: they share one client.
    """
    free = [n for n, (fate, _) in enumerate(found) if fate is Fate.RESTORED]
    of_rows = [n for n in free if not lines[n].member]
    written = pool.map(partial(_put_back, table), [lines[n] for n in of_rows])
    fates = dict(zip(of_rows, written, strict=True))
    fates |= _put_back_members(table, lines, found, [n for n in free if lines[n].member])
    refused = [n for n, fate in fates.items() if fate is Fate.NEWER]
    now = _what_would_be(table, [lines[n] for n in refused])
    for n, (fate, _) in zip(refused, now, strict=True):
        fates[n] = Fate.NEWER if fate is Fate.RESTORED else fate
    return [_Found(fates.get(n, fate), item) for n, (fate, item) in enumerate(found)]


def _put_back(table: ConnectionsTable, line: AuditLine) -> Fate:
    """Raises TableError where it was refused, which holds for all the others too."""
    try:
        if line.action is not EvictAction.CLEAR:
            change = table.put_back(line.item)
        else:
            paths = (line.cleared, *line.changed)
            held = [(path, attribute(line.item, path)) for path in paths]
            change = table.put_back_attributes(line.key, held)
    except TableError as error:
        return _failed(error)
    return Fate.RESTORED if change is Change.DONE else Fate.NEWER


def _put_back_members(
    table: ConnectionsTable,
    lines: Sequence[AuditLine],
    found: Sequence[_Found],
    numbers: Sequence[int],
) -> dict[int, Fate]:
    """Those of one collection of a row together."""
    by_collection: defaultdict[Hashable, list[int]] = defaultdict(list)
    for n in numbers:
        kind = tuple(attribute(lines[n].item, collection_in(lines[n].member)) or {})
        by_collection[identity(lines[n].key), lines[n].member, kind].append(n)
    together: list[list[int]] = []
    returning: list[Returning] = []
    for same in by_collection.values():
        path = collection_in(lines[same[0]].member)
        held = attribute(found[same[0]].item or {}, path)
        most = ENTRIES_TOGETHER if held is not None and "M" in held else len(same)
        for some in (same[n : n + most] for n in range(0, len(same), most)):
            members = joined([lines[n].item for n in some], path)
            together.append(some)
            returning.append(Returning(lines[some[0]].key, path, members, held))
    fates: dict[int, Fate] = {}
    for some, change in zip(together, table.put_back_members(returning), strict=True):
        fate = Fate.RESTORED if change is Change.DONE else Fate.NEWER
        if isinstance(change, TableError):
            fate = _failed(change)
        fates |= dict.fromkeys(some, fate)
    return fates


def _failed(error: TableError) -> Fate:
    """Raises the error itself where it was refused."""
    if error.refused is not None:
        raise error
    log.error("row not put back", why=str(error))
    return Fate.FAILED


def _what_would_be(table: ConnectionsTable, lines: Sequence[AuditLine]) -> list[_Found]:
    """What stands in the way of each, if anything does. Raises TableError where it was refused."""
    try:
        items = table.read([line.key for line in lines])
    except TableError as error:
        if error.refused is not None:
            raise
        log.error("rows not readable", why=str(error))
        return [_Found(Fate.FAILED, None)] * len(lines)
    by_key = {identity(table.key_of(item)): item for item in items}
    there = [by_key.get(identity(line.key)) for line in lines]
    return [_Found(_fate(line, item), item) for line, item in zip(lines, there, strict=True)]


def _fate(line: AuditLine, item: Item | None) -> Fate:
    if line.member:
        return _fate_of_member(line, item)
    if line.action is not EvictAction.CLEAR:
        return Fate.RESTORED if item is None else Fate.NEWER
    map_of_id = line.cleared[:-1]
    if item is None or (map_of_id and "M" not in (attribute(item, map_of_id) or {})):
        return Fate.NO_ROW
    return Fate.RESTORED if attribute(item, line.cleared) is None else Fate.NEWER


def _fate_of_member(line: AuditLine, item: Item | None) -> Fate:
    path = collection_in(line.member)
    around, held = path[:-1], attribute(item or {}, path)
    if item is None or (around and "M" not in (attribute(item, around) or {})):
        return Fate.NO_ROW
    if held is not None and held.keys() != (attribute(line.item, path) or {}).keys():
        return Fate.NEWER
    (own,) = members_of(line.item, line.member, {})
    there = list(members_of(item, line.member, {}))
    is_taken = EACH_KEY in line.member and own.position in [one.position for one in there]
    ids = [stored_id(one.item, line.member) for one in there]
    is_there = stored_id(own.item, line.member) in ids
    return Fate.NEWER if is_taken or is_there else Fate.RESTORED
