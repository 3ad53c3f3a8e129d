"""`reaper restore`: puts evicted rows back from the audit log, never over a newer one."""

from __future__ import annotations

import argparse
import itertools
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import structlog

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.dynamodb.table import READ_BATCH
from reaper.commands.exit_codes import DONE, FAILED, fail
from reaper.commands.prepare import prepare
from reaper.core.audit import EVICT, AuditLine, parse_line
from reaper.core.errors import TableError
from reaper.core.model import Change
from reaper.core.rows.items import EACH_KEY, Item, attribute, identity
from reaper.core.rows.members import Returning, collection_in, joined, members_of, stored_id
from reaper.core.sweep_rules import EvictAction
from reaper.wiring import make_access, make_table

log = structlog.get_logger()

PUT_BACK_AT_ONCE = 16

ENTRIES_TOGETHER = 40
"""Of a map, put back by one update: each has a condition of its own."""


class Fate(StrEnum):
    """What becomes of a line of the audit log."""

    RESTORED = "put back"
    NEWER = "left alone: a row, or another connection's id, is there by now"
    NO_ROW = "left alone: the row or map that the id went from is gone by now"
    FAILED = "failed"
    OTHER_TABLE = "passed over: of another table"
    OTHER_KEYS = "passed over: the table has other keys by now"
    UNREADABLE = "passed over: a torn or damaged line"


class _Place(NamedTuple):
    """Where in the file a line is: so much can be remembered of every one of them."""

    number: int
    offset: int


class _Found(NamedTuple):
    """What stands in the way of a line, or what came of it."""

    fate: Fate
    """``RESTORED`` where nothing does."""
    item: Item | None
    """The row with its key, as it is now."""


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "restore",
        help="put evicted rows back from the audit log",
        description="Puts back every row of REAPER_TABLE_NAME whose last line in the file says that"
        " it was evicted, unless a row with its key is there by now: a newer one is never"
        " overwritten, and to run it twice does no harm. Stop the daemon before, or its next sweep"
        " evicts the same zombies again. It needs DescribeTable, BatchGetItem and PutItem (after"
        " REAPER_EVICT_ACTION=clear, and for members of rows: UpdateItem). Exit code 1 if nothing"
        " in the file was of use.",
    )
    command.add_argument("audit_file", metavar="AUDIT_FILE", help="what REAPER_AUDIT_LOG wrote")
    command.add_argument("--dry-run", action="store_true", help="only say what would be put back")
    command.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    settings, session = prepare()
    if arguments.dry_run:
        settings = replace(settings, dry_run=True)
    path = Path(arguments.audit_file)
    with closing(make_table(settings, make_access(settings, session))) as table:
        try:
            fates = restore(path, table, dry_run=settings.dry_run)
        except OSError as error:
            return fail(f"the audit file cannot be read: {error}")
    if settings.dry_run:
        print("dry run (--dry-run or REAPER_DRY_RUN): nothing was written; this would be done:")
    for fate, count in fates.items():
        print(f"{count} {fate.value}")
    if fates[Fate.FAILED]:
        return FAILED
    if not fates:
        return fail(f"{path} holds no line of an eviction: is it what REAPER_AUDIT_LOG names?")
    if fates[Fate.OTHER_TABLE]:
        print(f"only rows of {settings.table_name} are put back: see REAPER_TABLE_NAME")
    is_of_use = fates[Fate.RESTORED] + fates[Fate.NEWER] + fates[Fate.NO_ROW]
    return DONE if is_of_use else FAILED


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
            found = _what_would_be(table, lines)
            if not dry_run:
                found = _put_back_all(table, lines, found, pool)
            for place, line, (fate, _) in zip(places, lines, found, strict=True):
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
            log.warning("audit line not readable", line=number, why=str(error))
            continue
        if line is not None:
            yield place, line


def _last_evictions(
    lines: Iterable[tuple[_Place, AuditLine]], table: ConnectionsTable, fates: Counter[Fate]
) -> list[_Place]:
    """Where each row's last line is, if that says that the row was evicted."""
    evicted: dict[Hashable, _Place] = {}
    for place, line in lines:
        if line.table != table.name:
            fates[Fate.OTHER_TABLE] += 1
        elif set(line.key) != set(table.key_names):
            fates[Fate.OTHER_KEYS] += 1
        elif line.says == EVICT:
            evicted[line.identity] = place
        else:
            evicted.pop(line.identity, None)
    return list(evicted.values())


def _line_at(file: BinaryIO, place: _Place) -> AuditLine:
    file.seek(place.offset)
    line = parse_line(file.readline().decode())
    assert line is not None, "it was one a moment ago"
    return line


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
