"""The words of the command line, and the help that teaches them."""

from __future__ import annotations

import argparse
from typing import Any

from reaper import __version__
from reaper.core.triage import HeartbeatMode

EPILOG = """\
exit codes: 0 done, 1 failed, 2 bad settings, 3 evictions held by the circuit breaker

Settings are environment variables: 'reaper env' lists them. Two suffice:

  export REAPER_TABLE_NAME=connections
  export REAPER_API_ENDPOINT=wss://{api}.execute-api.{region}.amazonaws.com/{stage}
  reaper check && reaper sweep --dry-run
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="reaper",
        description="Evicts the zombie rows of an AWS API Gateway WebSocket API from DynamoDB,"
        " keeps idle sockets open, and never evicts a live connection.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"reaper {__version__}")
    subparsers = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
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
        description="Sweeps once, as fast as REAPER_QUOTA_RPS x REAPER_QUOTA_SHARE allows. Rows"
        " that answer 410 are asked again after REAPER_CONFIRM_DELAY_SECONDS, and once more after"
        " another, so it takes two minutes or more. Exit code 3 where the breaker holds evictions:"
        " the log says why, and what ends it; 1 where no row could be understood.",
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
        help="vouch for the endpoint: evict even if nobody lives who answers 200, or if zombies are"
        " REAPER_MAX_GONE_FRACTION of the answers or more; nothing else is lifted",
    )
    subparsers.add_parser(
        "check",
        help="try settings, permissions, table and endpoint; change nothing",
        description="Tries everything that a sweep needs, one line each, and changes nothing."
        " It asks after up to 20 connections by GET. Exit code 1 if anything is missing.",
    )
    _add_plan(subparsers)
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
    form = env.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as the table in the README")
    form.add_argument(
        "--example", action="store_true", help="as an environment file for deploy/systemd"
    )
    return made


def _add_plan(subparsers: Any) -> None:
    plan = subparsers.add_parser(
        "plan",
        help="what a population of connections will need and cost, before it is deployed",
        description="Works out rates, quota share, ratio, times and dollars of `reaper run` for a"
        " population, beside a POST to every row each minute. It needs no AWS account, and asks"
        " nobody. Settings are those in the environment. Exit code 1 for what cannot work, with"
        " the reason.",
    )
    plan.add_argument(
        "--connections", type=_count, required=True, help="how many are open at any moment"
    )
    plan.add_argument(
        "--mean-life-seconds", type=_positive, default=1800.0, help="default 1800, at most 7200"
    )
    plan.add_argument(
        "--messages-per-minute",
        type=_not_negative,
        default=1.0,
        help="the application's own, per connection, both ways; default 1",
    )
    plan.add_argument(
        "--zombie-rate",
        type=_fraction,
        default=0.05,
        help="part of the connections whose $disconnect is never delivered; default 0.05",
    )
    plan.add_argument(
        "--last-seen",
        action="store_true",
        help="rows say when a client was last heard of (REAPER_LAST_SEEN_ATTRIBUTE)",
    )
    plan.add_argument(
        "--row-bytes", type=_count, default=200, help="size of a row, for the scan; default 200"
    )
    plan.add_argument(
        "--heartbeat-mode",
        choices=[mode.value for mode in HeartbeatMode],
        help="instead of REAPER_HEARTBEAT_MODE",
    )
    plan.add_argument(
        "--sweep-interval-seconds",
        type=_interval,
        help="instead of REAPER_SWEEP_INTERVAL_SECONDS",
    )
    plan.add_argument("--json", action="store_true", help="print one JSON object")


def _number(text: str, kind: type[float], least: float, most: float, is_open: bool) -> float:
    try:
        value = kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"must be {what} (it is {text!r})") from None
    if not least <= value <= most or (is_open and value == least):
        bounds = f"above {least:g}" if is_open else f"from {least:g}"
        raise argparse.ArgumentTypeError(f"must be {bounds} to {most:g} (it is {text!r})")
    return value


def _count(text: str) -> int:
    return int(_number(text, int, 1, 1e9, is_open=False))


def _interval(text: str) -> float:
    return _number(text, float, 0.1, 1e9, is_open=False)


def _positive(text: str) -> float:
    return _number(text, float, 0, 1e9, is_open=True)


def _not_negative(text: str) -> float:
    return _number(text, float, 0, 1e9, is_open=False)


def _fraction(text: str) -> float:
    return _number(text, float, 0, 1, is_open=False)
