"""The command line: which commands there are, and what becomes of errors."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from botocore.exceptions import BotoCoreError, NoCredentialsError

from reaper import __version__
from reaper.commands.exit_codes import BAD_SETTINGS, FAILED, INTERRUPTED, fail
from reaper.config.environment import SettingsError
from reaper.config.warnings import unknown_variables
from reaper.core.errors import Fault
from reaper.core.masking import masked

COMMANDS = (
    *("run", "sweep", "check", "discover", "policy"),
    *("why", "restore", "plan", "health", "env"),
)
"""In the order in which an operator meets them: each is a module of ``commands``, and imported only
when it is called for. A container asks for its health twice a minute.
"""

EPILOG = """\
exit codes: 0 done, 1 failed, 2 bad settings, 3 evictions held by the circuit breaker

Settings are environment variables: 'reaper env' lists them, 'reaper discover' finds those that fit:

  reaper discover TABLE --endpoint wss://{api}.execute-api.{region}.amazonaws.com/{stage} > my.env
  set -a; . ./my.env
  reaper check && reaper sweep --dry-run
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What goes wrong is one line on stderr."""
    given = sys.argv[1:] if argv is None else argv
    is_known = bool(given) and given[0] in COMMANDS
    arguments = _parser(given[:1] if is_known else COMMANDS).parse_args(given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no ✓ still gets its line
    try:
        return int(arguments.execute(arguments))
    except SettingsError as error:
        for name, faults in error.faults.items():
            for fault in faults:
                print(masked(f"reaper: {name} {fault}"), file=sys.stderr)
        for warning in unknown_variables():
            print(f"reaper: {warning}", file=sys.stderr)
        print("reaper: 'reaper env' lists every variable", file=sys.stderr)
        return BAD_SETTINGS
    except NoCredentialsError:
        return fail(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE,"
            " or give the task or instance a role"
        )
    except (Fault, BotoCoreError) as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        return FAILED


def _parser(commands: Iterable[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reaper",
        description="Evicts the zombie rows of an AWS API Gateway WebSocket API from DynamoDB,"
        " keeps idle sockets open, and never evicts a live connection.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reaper {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands:
        import_module(f"reaper.commands.{command}").add_to(subparsers)
    return parser
