"""`reaper restore`: puts evicted rows back from the audit log, never over a newer one."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import structlog

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.dynamodb.restoring import Fate, put_back_all, what_would_be
from reaper.aws.dynamodb.table import READ_BATCH
from reaper.commands.exit_codes import DONE, FAILED, fail
from reaper.commands.prepare import prepare
from reaper.core.audit import EVICT, RESTORED, AuditLine, parse_line, restored_entry
from reaper.core.errors import AuditError
from reaper.core.model import Reason
from reaper.core.moments import epoch_of
from reaper.telemetry.audit import AuditLog
from reaper.wiring import make_access, make_table

log = structlog.get_logger()

PUT_BACK_AT_ONCE = 16


class Passed(StrEnum):
    """Why a line is passed over."""

    OTHER_TABLE = "passed over: of another table"
    OTHER_KEYS = "passed over: the table has other keys by now"
    UNREADABLE = "passed over: a torn or damaged line"


Fates = Counter[Fate | Passed]


class Wanted(NamedTuple):
    """Which evictions are to be undone: all that is given has to hold."""

    connection_id: str | None = None
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    """Epoch seconds."""

    def holds(self, line: AuditLine) -> bool:
        return (
            self.connection_id in (None, line.connection_id)
            and self.reason in (None, line.reason)
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at <= self.until)
        )


class _Place(NamedTuple):
    """Where in the file a line is: so much can be remembered of every one of them."""

    number: int
    offset: int


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
    command.add_argument(
        "--id", metavar="ID", help="only this connection's row (--id=ID if it begins with -)"
    )
    command.add_argument(
        "--reason", choices=[reason.value for reason in Reason], help="only rows evicted for this"
    )
    for name, what in (("--since", "at this moment or later"), ("--until", "no later than this")):
        command.add_argument(
            name,
            metavar="MOMENT",
            type=_moment,
            help=f"only rows evicted {what}: ISO 8601, such as 2026-11-27T13:00:00Z; UTC if it"
            " names no zone",
        )
    command.set_defaults(execute=execute)


def _moment(text: str) -> float:
    try:
        return epoch_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment in ISO 8601, such as 2026-11-27T13:00:00Z"
        ) from None


def execute(arguments: argparse.Namespace) -> int:
    settings, session = prepare()
    if arguments.dry_run:
        settings = replace(settings, dry_run=True)
    path = Path(arguments.audit_file)
    if path.suffix == ".gz":
        return fail(f"{path} is compressed: gunzip it first")
    with closing(make_table(settings, make_access(settings, session))) as table:
        try:
            wanted = Wanted(arguments.id, arguments.reason, arguments.since, arguments.until)
            fates = restore(path, table, wanted, settings.audit_log, dry_run=settings.dry_run)
        except OSError as error:
            return fail(f"the audit file cannot be read: {error}")
    if settings.dry_run:
        print("dry run (--dry-run or REAPER_DRY_RUN): nothing was written")
    would_be = "would be " if settings.dry_run else ""
    for fate, count in fates.items():
        print(f"{count:,} {'' if isinstance(fate, Passed) else would_be}{fate.value}")
    if fates[Fate.FAILED]:
        return FAILED
    if not fates:
        if any(one is not None for one in wanted):
            return fail(f"{path} holds no eviction that still holds and is one of those asked for")
        return fail(f"{path} holds no line of an eviction: is it what REAPER_AUDIT_LOG names?")
    if fates[Passed.OTHER_TABLE]:
        print(f"only rows of {settings.table} are put back: see REAPER_TABLE_NAME")
    is_of_use = fates[Fate.RESTORED] + fates[Fate.NEWER] + fates[Fate.NO_ROW]
    return DONE if is_of_use else FAILED


def restore(
    path: Path, table: ConnectionsTable, wanted: Wanted, audit_log: str, *, dry_run: bool
) -> Fates:
    """Put back each row whose last line says that it was evicted, if it is one of the wanted.

    Counts rows, or lines. In a dry run nothing is written, and ``RESTORED`` is what would be.
    What was put back is written down in the audit log, if that is a file. Raises OSError when the
    file cannot be read, TableError when the table cannot be used at all.
    """
    table.describe()
    fates: Fates = Counter()
    with path.open("rb") as file, ThreadPoolExecutor(PUT_BACK_AT_ONCE) as pool:
        evicted = iter(_last_evictions(_lines(file, fates), table, wanted, fates))
        while places := list(itertools.islice(evicted, READ_BATCH)):
            texts = [_text_at(file, place) for place in places]
            lines = [_line_of(text) for text in texts]
            found = what_would_be(table, lines) if dry_run else put_back_all(table, lines, pool)
            for place, line, fate in zip(places, lines, found, strict=True):
                fates[fate] += 1
                log.info(fate.value, line=place.number, key=line.key, dry_run=dry_run)
            if not dry_run:
                _write_down(audit_log, texts, found)
    return fates


def _write_down(audit_log: str, texts: Sequence[str], found: Sequence[Fate]) -> None:
    """For `reaper why`. On stdout it would be mixed with what is said to a person."""
    now = time.time()
    restored = [text for text, fate in zip(texts, found, strict=True) if fate is Fate.RESTORED]
    if not restored or audit_log == "stdout":
        return
    try:
        AuditLog(audit_log).write([restored_entry(json.loads(text), now) for text in restored])
    except (OSError, AuditError) as error:
        log.warning("restoration not written down", rows=len(restored), why=str(error))


def _lines(file: BinaryIO, fates: Fates) -> Iterator[tuple[_Place, AuditLine]]:
    """The lines that are ours. Others, such as metrics on the same stream, are passed over."""
    offset = 0
    for number, raw in enumerate(file, start=1):
        place, offset = _Place(number, offset), offset + len(raw)
        if not raw.strip():
            continue
        try:
            line = parse_line(raw.decode())
        except ValueError as error:
            fates[Passed.UNREADABLE] += 1
            log.warning("audit line not readable", line=number, why=str(error))
            continue
        if line is not None:
            yield place, line


def _last_evictions(
    lines: Iterable[tuple[_Place, AuditLine]],
    table: ConnectionsTable,
    wanted: Wanted,
    fates: Fates,
) -> list[_Place]:
    """Where each row's last line is, if that says that the row was evicted, and is wanted.

    Also if it was put back since: should it be missing again, it comes back again.
    """
    evicted: dict[Hashable, _Place] = {}
    for place, line in lines:
        if line.table != table.name:
            fates[Passed.OTHER_TABLE] += 1
        elif set(line.key) != set(table.key_names):
            fates[Passed.OTHER_KEYS] += 1
        elif line.says == EVICT and wanted.holds(line):
            evicted[line.identity] = place
        elif line.says != RESTORED:
            evicted.pop(line.identity, None)
    return list(evicted.values())


def _text_at(file: BinaryIO, place: _Place) -> str:
    file.seek(place.offset)
    return file.readline().decode()


def _line_of(text: str) -> AuditLine:
    line = parse_line(text)
    assert line is not None, "it was one a moment ago"
    return line
