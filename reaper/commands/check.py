"""`reaper check`: everything that a sweep needs, tried without changing anything."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import Any

import boto3

from reaper.aws.session import region_of
from reaper.commands.exit_codes import DONE, FAILED
from reaper.commands.prepare import read_settings, warnings_of
from reaper.config.rules import region_in_use
from reaper.config.settings import Settings
from reaper.core.masking import masked
from reaper.preflight.check import check
from reaper.telemetry.alerts import configure_sentry
from reaper.telemetry.audit import audit_log_fault
from reaper.wiring import make_alerts, make_clients

YELLOW, PLAIN = "\x1b[33m", "\x1b[0m"


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "check",
        help="try settings, permissions, table and endpoint; change nothing",
        description="Tries everything that a sweep needs, one line each, and changes nothing."
        " ✗ is to be mended, ! is worth a look; the last line is the verdict. It asks after up to"
        " 20 connections by GET. Exit code 1 if anything is missing.",
    )
    command.add_argument(
        "--send-test-alert",
        action="store_true",
        help="send an alert to Sentry that says it is a test, and nothing else",
    )
    command.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    settings, session = read_settings()
    if arguments.send_test_alert:
        return _send_test_alert(settings, session)
    faults = 0
    for warning in warnings_of(settings, session):
        _print("!", warning)
    with closing(make_clients(settings, session)) as clients:
        _print("✓", "settings are complete")
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


def _send_test_alert(settings: Settings, session: boto3.Session) -> int:
    configure_sentry()
    fault = make_alerts(settings, region_in_use(settings, region_of(session))).send_test()
    if fault is not None:
        _print("✗", f"no test alert: {fault}")
        return FAILED
    _print("✓", "sent, and answered with 200: look for the test alert in Sentry")
    return DONE


def _print(mark: str, text: str) -> None:
    line = masked(f"{mark} {text}")
    if mark == "!" and sys.stdout.isatty():
        line = f"{YELLOW}{line}{PLAIN}"
    print(line, flush=True)
