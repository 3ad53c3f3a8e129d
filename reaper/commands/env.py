"""`reaper env`: every variable for a person, as the docs' table, or as a file for systemd."""

from __future__ import annotations

import argparse
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from reaper.aws.session import region_of
from reaper.commands.exit_codes import DONE
from reaper.commands.prepare import prepare
from reaper.config.effective import effective
from reaper.config.rules import budget_rps, region_in_use
from reaper.config.settings import variables

LINE_WIDTH = 98

EXAMPLE_HEAD = """\
# /etc/reaper/reaper.env, mode 0600. Made by `reaper env --example`: every variable there is.
# What is commented out shows its default.

# The table's Region; on EC2 the instance's role is found by itself, elsewhere set credentials too.
AWS_REGION=eu-west-1
#AWS_ACCESS_KEY_ID=
#AWS_SECRET_ACCESS_KEY=

# Alerts; without a DSN there are none.
#SENTRY_DSN=https://key@sentry.example.com/1
"""

EXAMPLE_VALUES = {
    "REAPER_TABLE_NAME": "connections",
    "REAPER_API_ENDPOINT": "wss://abc123.execute-api.eu-west-1.amazonaws.com/prod",
    "REAPER_DRY_RUN": "true",
    "REAPER_AUDIT_LOG": "/var/log/reaper/audit.jsonl",
}
"""What the file sets, for the unit in deploy/systemd."""

EXAMPLE_NOTES = {
    "REAPER_DRY_RUN": "Look first, act later: remove this when the reports are what you expect",
}


def add_to(subparsers: Any) -> None:
    env = subparsers.add_parser("env", help="list every variable: default and meaning")
    form = env.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as the table in docs/variables.md")
    form.add_argument(
        "--example", action="store_true", help="as an environment file for deploy/systemd"
    )
    form.add_argument(
        "--effective",
        action="store_true",
        help="the configuration in force, in shell syntax: what is set, and what else follows",
    )
    env.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    if arguments.effective:
        lines = as_in_force()
    elif arguments.example:
        lines = as_example()
    elif arguments.markdown:
        lines = as_markdown()
    else:
        lines = for_people(shutil.get_terminal_size().columns)
    for line in lines:
        print(line)
    return DONE


def as_in_force() -> Iterator[str]:
    """Raises SettingsError."""
    settings, session = prepare()
    region = region_in_use(settings, region_of(session))
    yield f"# Region {region}, budget {budget_rps(settings, region):g} requests a second"
    for name, value, is_set in effective(settings, region):
        yield f"{name}={shlex.quote(value) if value else ''}{'' if is_set else '  # by default'}"


def for_people(width: int) -> Iterator[str]:
    for name, variable in variables().items():
        default = "" if variable.required else "default: "
        yield f"{name}  ({default}{variable.shown_default})"
        yield textwrap.fill(
            variable.meaning, width, initial_indent="    ", subsequent_indent="    "
        )


def as_markdown() -> Iterator[str]:
    yield "| variable | default | meaning |\n|---|---|---|"
    for name, variable in variables().items():
        meaning = variable.meaning.replace("|", "\\|")
        yield f"| `{name}` | {variable.shown_default} | {meaning} |"


def as_example() -> Iterator[str]:
    """An environment file that systemd and a shell read alike."""
    yield EXAMPLE_HEAD
    for name, variable in variables().items():
        meaning = EXAMPLE_NOTES.get(name, variable.meaning)
        if variable.shown_default not in (variable.default, "none", "required"):
            meaning += f" ({variable.shown_default})"
        yield textwrap.fill(meaning, LINE_WIDTH, initial_indent="# ", subsequent_indent="# ")
        if name in EXAMPLE_VALUES:
            yield f"{name}={shlex.quote(EXAMPLE_VALUES[name])}\n"
        else:
            quoted = shlex.quote(variable.default) if variable.default else ""
            yield f"#{name}={quoted}\n"
