"""`reaper why`: the whole story of a connection, out of the audit log."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

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
        " Exit code 1 if no line is about it. An id that begins with '-' goes after '--':"
        " reaper why -- -A= audit.jsonl",
    )
    command.add_argument("connection_id", metavar="CONNECTION_ID")
    command.add_argument(
        "audit_files", metavar="AUDIT_FILE", nargs="+", help="what REAPER_AUDIT_LOG wrote"
    )
    command.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    paths, found = [Path(name) for name in arguments.audit_files], _Found([])
    for path in paths:
        try:
            _read(path, arguments.connection_id, found)
        except (OSError, EOFError, zlib.error) as error:
            _print(f"reaper: {path} cannot be read to its end: {error}", sys.stderr)
    rows = rows_of(found.entries, arguments.connection_id)
    for row in rows:
        _tell(arguments.connection_id, row)
    if found.damaged:
        _print(f"reaper: {found.damaged} damaged lines name it, and are not told", sys.stderr)
    if rows:
        return DONE
    return fail(
        f"no whole line of {', '.join(map(str, paths))} is about {arguments.connection_id}: reaper"
        " did not evict it, or wrote elsewhere; rows also go by the application's $disconnect, and"
        " by a TTL"
    )


def _tell(connection_id: str, row: Sequence[Entry]) -> None:
    key = ", ".join(f"{name}={next(iter(value.values()))}" for name, value in row[0]["key"].items())
    _print(f"{connection_id}, row {key} of table {row[0]['table']}")
    for line in story(row):
        _print(line)


def _print(text: str, stream: TextIO | None = None) -> None:
    """A file may hold anything, also what a terminal obeys."""
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    print(shown, file=stream or sys.stdout)


@dataclass(slots=True)
class _Found:
    entries: list[Entry]
    """Those that are about the connection, oldest first."""
    damaged: int = 0
    """Lines that name it, and are no whole lines."""


def _read(path: Path, connection_id: str, found: _Found) -> None:
    """Add what a file tells. Raises OSError; EOFError or zlib.error for a broken archive."""
    as_written = json.dumps(connection_id, ensure_ascii=False)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        for text in file:
            if as_written not in text:
                continue
            try:
                line = parse_line(text)
            except ValueError:
                found.damaged += 1
                continue
            if line is not None:
                found.entries.append(json.loads(text))
