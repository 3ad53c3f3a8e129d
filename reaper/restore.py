"""Puts evicted rows back from the audit log, never over a newer one."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import structlog

from reaper.aws.conditions import Change
from reaper.aws.connections import ConnectionsTable
from reaper.aws.dynamodb import READ_BATCH
from reaper.aws.errors import TableAccessDenied, TableError
from reaper.core.audit import EVICT, AuditLine, parse_line
from reaper.core.items import Item, attribute
from reaper.core.rules import EvictAction

log = structlog.get_logger()

PUT_BACK_AT_ONCE = 16


class Fate(StrEnum):
    """What becomes of a line of the audit log."""

    RESTORED = "put back"
    NEWER = "left alone: a row, or another connection's id, is there by now"
    NO_ROW = "left alone: the row or map that the id was cleared from is gone by now"
    FAILED = "failed"
    OTHER_TABLE = "passed over: of another table"
    OTHER_KEYS = "passed over: the table has other keys by now"
    UNREADABLE = "passed over: a torn or damaged line"


class _Place(NamedTuple):
    """Where in the file a line is: so much can be remembered of every one of them."""

    number: int
    offset: int


def restore(path: Path, table: ConnectionsTable, *, dry_run: bool) -> Counter[Fate]:
    """Put back each row whose last line says that it was evicted. Counts rows, or lines.

    In a dry run nothing is written, and ``restored`` is what would be. Raises OSError when the
    file cannot be read, TableError when the table cannot be used at all.
    """
    table.describe()
    fates: Counter[Fate] = Counter()
    with path.open("rb") as file, ThreadPoolExecutor(PUT_BACK_AT_ONCE) as pool:
        evicted = iter(_last_evictions(_lines(file, fates), table, fates))
        while places := list(itertools.islice(evicted, READ_BATCH)):
            lines = [_line_at(file, place) for place in places]
            results = _what_would_be(table, lines)
            if not dry_run:
                _put_back_all(table, lines, results, pool)
            for place, line, fate in zip(places, lines, results, strict=True):
                fates[fate] += 1
                log.info(fate.value, line=place.number, key=line.key, dry_run=dry_run)
    return fates


def _lines(file: BinaryIO, fates: Counter[Fate]) -> Iterator[tuple[_Place, AuditLine]]:
    """The lines that are ours. Others, such as metrics on the same stream, are passed over."""
    offset = 0
    for number, raw in enumerate(file, start=1):
        place, offset = _Place(number, offset), offset + len(raw)
        if not raw.strip():
            continue
        try:
            line = parse_line(raw.decode())
        except ValueError as error:
            fates[Fate.UNREADABLE] += 1
            log.warning("a line of the file cannot be read", line=number, why=str(error))
            continue
        if line is not None:
            yield place, line


def _last_evictions(
    lines: Iterable[tuple[_Place, AuditLine]], table: ConnectionsTable, fates: Counter[Fate]
) -> list[_Place]:
    """Where each row's last line is, if that says that the row was evicted."""
    evicted: dict[str, _Place] = {}
    for place, line in lines:
        key = str(sorted(line.key.items()))
        if line.table != table.name:
            fates[Fate.OTHER_TABLE] += 1
        elif set(line.key) != set(table.key_names):
            fates[Fate.OTHER_KEYS] += 1
        elif line.says == EVICT:
            evicted[key] = place
        else:
            evicted.pop(key, None)
    return list(evicted.values())


def _line_at(file: BinaryIO, place: _Place) -> AuditLine:
    file.seek(place.offset)
    line = parse_line(file.readline().decode())
    assert line is not None, "it was one a moment ago"
    return line


def _put_back_all(
    table: ConnectionsTable,
    lines: Sequence[AuditLine],
    fates: list[Fate],
    pool: ThreadPoolExecutor,
) -> None:
    """Write the rows that nothing stands in the way of, and say in ``fates`` what came of them.

    Reads stay on this thread: they share one client.
    """
    free = [n for n, fate in enumerate(fates) if fate is Fate.RESTORED]
    written = pool.map(partial(_put_back, table), [lines[n] for n in free])
    for n, fate in zip(free, written, strict=True):
        fates[n] = fate
    refused = [n for n in free if fates[n] is Fate.NEWER]
    for n, fate in zip(refused, _what_would_be(table, [lines[n] for n in refused]), strict=True):
        fates[n] = Fate.NEWER if fate is Fate.RESTORED else fate


def _put_back(table: ConnectionsTable, line: AuditLine) -> Fate:
    """Raises TableAccessDenied, which holds for all the others too."""
    try:
        if line.action is not EvictAction.CLEAR:
            change = table.put_back(line.item)
        else:
            value = attribute(line.item, line.cleared) or {}
            change = table.put_back_attribute(line.key, line.cleared, value)
        return Fate.RESTORED if change is Change.DONE else Fate.NEWER
    except TableAccessDenied:
        raise
    except TableError as error:
        log.error("a row cannot be put back", why=str(error))
        return Fate.FAILED


def _what_would_be(table: ConnectionsTable, lines: Sequence[AuditLine]) -> list[Fate]:
    """What stands in the way of each, if anything does. Raises TableAccessDenied."""
    try:
        found = {str(table.key_of(item)): item for item in table.read([line.key for line in lines])}
    except TableAccessDenied:
        raise
    except TableError as error:
        log.error("rows cannot be looked at", why=str(error))
        return [Fate.FAILED] * len(lines)
    return [_fate(line, found.get(str(table.key_of(line.key)))) for line in lines]


def _fate(line: AuditLine, item: Item | None) -> Fate:
    if line.action is not EvictAction.CLEAR:
        return Fate.RESTORED if item is None else Fate.NEWER
    map_of_id = line.cleared[:-1]
    if item is None or (map_of_id and "M" not in (attribute(item, map_of_id) or {})):
        return Fate.NO_ROW
    return Fate.RESTORED if attribute(item, line.cleared) is None else Fate.NEWER
