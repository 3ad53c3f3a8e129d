"""`reaper check`: everything that a sweep needs, tried without changing anything."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from reaper.commands.exit_codes import DONE, FAILED
from reaper.commands.prepare import prepare
from reaper.core.masking import masked
from reaper.preflight.check import check
from reaper.telemetry.audit import audit_log_fault
from reaper.wiring import make_clients


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "check",
        help="try settings, permissions, table and endpoint; change nothing",
        description="Tries everything that a sweep needs, one line each, and changes nothing."
        " It asks after up to 20 connections by GET. Exit code 1 if anything is missing.",
    )
    command.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    settings, session = prepare()
    with closing(make_clients(settings, session)) as clients:
        print("✓ settings are complete and credentials are found")
        ok = True
        if settings.audit_log != "stdout" and (fault := audit_log_fault(settings.audit_log)):
            print(f"✗ REAPER_AUDIT_LOG: {fault}")
            ok = False
        for finding in check(settings, clients):
            print(masked(f"{'✓' if finding.ok else '✗'} {finding.text}"), flush=True)
            ok = ok and finding.ok
    return DONE if ok else FAILED
