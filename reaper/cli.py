"""The command line: what there is to call, and what its exit codes mean."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import closing

import boto3
import structlog
from botocore.exceptions import BotoCoreError, NoCredentialsError

from reaper import __version__, commands
from reaper.aws.errors import TableError
from reaper.aws.session import TrustStoreError, region_of
from reaper.environment import SettingsError, load_settings, risk_warnings, unknown_variables
from reaper.settings import Settings
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.logs import configure_logs
from reaper.worker import Worker

EPILOG = """\
exit codes: 0 done, 1 failed, 2 bad settings, 3 evictions held by the circuit breaker

Settings are environment variables: 'reaper env' lists them. Two suffice:

  export REAPER_TABLE_NAME=connections
  export REAPER_API_ENDPOINT=wss://{api}.execute-api.{region}.amazonaws.com/{stage}
  reaper check && reaper sweep --dry-run
"""

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What goes wrong is one line on stderr."""
    arguments = _parser().parse_args(argv)
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
        return commands.show_variables(markdown=arguments.markdown)
    session = boto3.Session()
    region = region_of(session)
    settings = load_settings(region)
    configure_logs(settings.log_format, settings.log_level)
    if arguments.command == "health":
        return commands.ask_health(settings)
    for warning in (*unknown_variables(), *risk_warnings(settings, region)):
        log.warning(warning)
    return _with_worker(arguments, settings, session)


def _with_worker(arguments: argparse.Namespace, settings: Settings, session: boto3.Session) -> int:
    if getattr(arguments, "dry_run", False):
        settings = settings.as_dry_run()
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reaper",
        description="Evicts the zombie rows of an AWS API Gateway WebSocket API from DynamoDB,"
        " keeps idle sockets open, and never evicts a live connection.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reaper {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    subparsers.add_parser(
        "run",
        help="sweep at once and then every interval, until SIGTERM",
        description="Sweeps at once and then every REAPER_SWEEP_INTERVAL_SECONDS, each sweep's"
        " calls spread over the interval. SIGTERM or SIGINT end it within 10 s: nothing new is"
        " asked, what is in flight comes home, exit code 0.",
    )
    sweep = subparsers.add_parser(
        "sweep",
        help="sweep once, at the budget",
        description="Sweeps once, as fast as REAPER_QUOTA_RPS x REAPER_QUOTA_SHARE allows.",
    )
    sweep.add_argument(
        "--dry-run",
        action="store_true",
        help="change nothing: ask by GET only, and report what would be done",
    )
    sweep.add_argument(
        "--json", action="store_true", help="print the report as one JSON object, the last line"
    )
    sweep.add_argument(
        "--trust-endpoint",
        action="store_true",
        help="vouch for the endpoint: evict even if no connection answered 200, or if zombies are"
        " more than REAPER_MAX_GONE_FRACTION of the answers",
    )
    subparsers.add_parser(
        "check",
        help="try settings, permissions, table and endpoint; change nothing",
        description="Tries everything that a sweep needs, one line each, and changes nothing."
        " It asks after up to 20 connections by GET. Exit code 1 if anything is missing.",
    )
    restore = subparsers.add_parser(
        "restore",
        help="put evicted rows back from the audit log",
        description="Puts back every row of REAPER_TABLE_NAME whose last line in the file says that"
        " it was evicted, unless a row with its key is there by now: a newer one is never"
        " overwritten, and to run it twice does no harm. Stop the daemon before, or its next sweep"
        " evicts the same zombies again. It needs DescribeTable, BatchGetItem and PutItem (after"
        " REAPER_EVICT_ACTION=clear: UpdateItem). Exit code 1 if nothing in the file was of use.",
    )
    restore.add_argument("audit_file", metavar="AUDIT_FILE", help="what REAPER_AUDIT_LOG wrote")
    restore.add_argument("--dry-run", action="store_true", help="only say what would be put back")
    subparsers.add_parser(
        "health",
        help="exit code 0 if the daemon on this machine is healthy",
        description="Asks /healthz at REAPER_HTTP_BIND, for container health checks.",
    )
    env = subparsers.add_parser("env", help="list every variable: default and meaning")
    env.add_argument("--markdown", action="store_true", help="as the table in the README")
    return parser
