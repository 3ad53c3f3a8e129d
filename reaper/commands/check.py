"""`reaper check`: everything that a sweep needs, tried without changing anything."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import Any

from reaper.commands.exit_codes import DONE, FAILED
from reaper.commands.prepare import read_settings, warnings_of
from reaper.core.masking import masked
from reaper.preflight.check import check
from reaper.telemetry.audit import audit_log_fault
from reaper.wiring import make_clients

YELLOW, PLAIN = "\x1b[33m", "\x1b[0m"


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "check",
        help="try settings, permissions, table and endpoint; change nothing",
        description="Tries everything that a sweep needs, one line each, and changes nothing."
        " ✗ is to be mended, ! is worth a look; the last line is the verdict. It asks after up to"
        " 20 connections by GET. Exit code 1 if anything is missing.",
    )
    command.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    settings, session = read_settings()
    faults = 0
    for warning in warnings_of(settings, session):
        _print("!", warning)
    with closing(make_clients(settings, session)) as clients:
        _print("✓", "settings are complete and credentials are found")
        if settings.audit_log != "stdout" and (fault := audit_log_fault(settings.audit_log)):
            _print("✗", f"REAPER_AUDIT_LOG: {fault}")
            faults += 1
        for finding in check(settings, clients):
            _print(finding.mark, finding.text)
            faults += not finding.ok
    if faults:
        print(
            f"not ready: {faults} to be mended (✗). `reaper discover {settings.table_name}` prints"
            " settings that fit, `reaper policy` all that has to be granted"
        )
        return FAILED
    print("ready: reaper sweep --dry-run")
    return DONE


def _print(mark: str, text: str) -> None:
    line = masked(f"{mark} {text}")
    if mark == "!" and sys.stdout.isatty():
        line = f"{YELLOW}{line}{PLAIN}"
    print(line, flush=True)
