"""`reaper why`: the whole story of a connection, out of the audit log."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reaper.commands.exit_codes import DONE, fail
from reaper.core.audit import parse_line
from reaper.core.story import Entry, rows_of, story


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "why",
        help="why a connection's row went, out of the audit log",
        description="Tells a connection's whole story by the audit log: when and why its row went,"
        " every strike with its witness, whether it was put back, and whether it can be. Several"
        " files are read in the order given; .gz is fine. It needs no settings and asks nobody."
        " Exit code 1 if no line is about it.",
    )
    command.add_argument("connection_id", metavar="CONNECTION_ID")
    command.add_argument(
        "audit_files", metavar="AUDIT_FILE", nargs="+", help="what REAPER_AUDIT_LOG wrote"
    )
    command.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    paths = [Path(name) for name in arguments.audit_files]
    try:
        entries = [entry for path in paths for entry in _entries(path, arguments.connection_id)]
    except (OSError, EOFError) as error:
        return fail(f"the audit file cannot be read: {error}")
    rows = rows_of(entries, arguments.connection_id)
    if not rows:
        return fail(
            f"no line of {', '.join(map(str, paths))} is about {arguments.connection_id}: reaper"
            " did not evict it, or wrote elsewhere; rows also go by the application's $disconnect,"
            " and by a TTL"
        )
    for row in rows:
        _tell(arguments.connection_id, row)
    return DONE


def _tell(connection_id: str, row: Sequence[Entry]) -> None:
    key = ", ".join(f"{name}={next(iter(value.values()))}" for name, value in row[0]["key"].items())
    print(f"{connection_id}, row {key} of table {row[0]['table']}")
    for line in story(row):
        print(line)


def _entries(path: Path, connection_id: str) -> Iterator[Entry]:
    """The lines that are about it. Raises OSError, and EOFError for half a compressed file."""
    as_written = json.dumps(connection_id, ensure_ascii=False)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        for text in file:
            if as_written in text and _is_ours(text):
                yield json.loads(text)


def _is_ours(text: str) -> bool:
    try:
        return parse_line(text) is not None
    except ValueError:
        return False
