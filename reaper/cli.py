"""The command line: what there is to call, and what its exit codes mean."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import boto3
import structlog
from botocore.exceptions import BotoCoreError, NoCredentialsError

from reaper import commands
from reaper.arguments import parser
from reaper.aws.errors import TableError
from reaper.aws.session import TrustStoreError, region_of
from reaper.core.population import Population
from reaper.core.triage import HeartbeatMode
from reaper.environment import SettingsError, load_settings, risk_warnings, unknown_variables
from reaper.plan import schedule_of, show_plan
from reaper.settings import Settings
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.logs import configure_logs
from reaper.worker import Worker

PLANNED = {
    "REAPER_TABLE_NAME": "planned",
    "REAPER_API_ENDPOINT": "https://planned.execute-api.us-east-1.amazonaws.com/prod",
}
"""What stands for the table and the API that a plan needs none of."""

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What goes wrong is one line on stderr."""
    arguments = parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no ✓ still gets its line
    try:
        return _run(arguments)
    except SettingsError as error:
        for name, faults in error.faults.items():
            for fault in faults:
                print(f"reaper: {name} {fault}", file=sys.stderr)
        for warning in unknown_variables():
            print(f"reaper: {warning}", file=sys.stderr)
        print("reaper: 'reaper env' lists every variable", file=sys.stderr)
        return commands.BAD_SETTINGS
    except NoCredentialsError:
        return commands.fail(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE,"
            " or give the task or instance a role"
        )
    except (TableError, TrustStoreError, BotoCoreError) as error:
        return commands.fail(str(error))
    except KeyboardInterrupt:
        return commands.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens any more
        return commands.FAILED


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "env":
        return commands.show_variables(markdown=arguments.markdown, example=arguments.example)
    session = boto3.Session()
    region = region_of(session)
    if arguments.command == "plan":
        return _plan(arguments, region or "")
    settings = load_settings(region)
    configure_logs(settings.log_format, settings.log_level)
    if arguments.command == "health":
        return commands.ask_health(settings)
    for warning in (*unknown_variables(), *risk_warnings(settings, region)):
        log.warning(warning)
    return _with_worker(arguments, settings, session)


def _plan(arguments: argparse.Namespace, region: str) -> int:
    """Settings are the environment's, but for what flags say; there need be no table yet."""
    settings = load_settings(region, PLANNED)
    if not region and "REAPER_API_ENDPOINT" in os.environ:
        endpoint = settings.endpoint(None)
        region = endpoint.region if endpoint else ""
    if arguments.heartbeat_mode:
        settings = replace(settings, heartbeat_mode=HeartbeatMode(arguments.heartbeat_mode))
    if arguments.sweep_interval_seconds:
        settings = replace(settings, sweep_interval_seconds=arguments.sweep_interval_seconds)
    population = Population(
        arguments.connections,
        arguments.mean_life_seconds,
        arguments.messages_per_minute,
        arguments.zombie_rate,
        arguments.row_bytes,
        arguments.last_seen,
    )
    reasons = show_plan(population, schedule_of(settings, region), as_json=arguments.json)
    for reason in reasons:
        print(f"reaper: this cannot work: {reason}", file=sys.stderr)
    return commands.FAILED if reasons else commands.DONE


def _with_worker(arguments: argparse.Namespace, settings: Settings, session: boto3.Session) -> int:
    if getattr(arguments, "dry_run", False):
        settings = replace(settings, dry_run=True)
    with closing(Worker(settings, _audit_log(arguments, settings), session)) as worker:
        match arguments.command:
            case "run":
                return commands.run(settings, worker)
            case "sweep":
                return commands.sweep(
                    settings,
                    worker,
                    as_json=arguments.json,
                    trust_endpoint=arguments.trust_endpoint,
                )
            case "restore":
                return commands.restore_rows(settings, worker, arguments.audit_file)
            case _:
                return commands.show_check(settings, worker)


def _audit_log(arguments: argparse.Namespace, settings: Settings) -> AuditLog:
    """Opened at once where rows may be evicted, so that a fault shows before that."""
    try:
        evicts = arguments.command in ("run", "sweep")
        return AuditLog(settings.audit_log if evicts else "stdout")
    except OSError as error:
        fault = f"must be a file that can be written to, in a directory that exists: {error}"
        raise SettingsError({"REAPER_AUDIT_LOG": [fault]}) from None
