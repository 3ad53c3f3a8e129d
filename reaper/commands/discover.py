"""`reaper discover`: looks at a table and the gateway, and prints the settings that fit."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3

from reaper.aws.account import table_names, websocket_endpoints
from reaper.aws.gateway import Gateway
from reaper.aws.session import Access, access, region_of
from reaper.commands.exit_codes import DONE, fail
from reaper.config.aws_variables import tidy_aws_variables
from reaper.config.environment import SettingsError
from reaper.config.settings import PREFIX
from reaper.core.discovery.places import id_places
from reaper.core.discovery.proposal import Proposal
from reaper.core.errors import TableError
from reaper.core.masking import masked
from reaper.core.rows.endpoint import Endpoint, parse_endpoint
from reaper.core.rows.items import Item
from reaper.preflight.discover import (
    MAX_READ_UNITS,
    MAX_ROWS,
    Discovery,
    NoSettingsFit,
    choose_endpoint,
    discover,
    must_be_understood,
    sample,
)
from reaper.telemetry.logs import configure_logs
from reaper.wiring import make_gateway, make_table_named

TIMEOUT_SECONDS = 5.0


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "discover",
        help="look at a table and print the settings that fit it; change nothing",
        description="Reads a sample of the table, asks the gateway after some ids by GET, and"
        " prints the settings that fit, each with its evidence as a comment:"
        " 'set -a; . <(reaper discover TABLE)'. Without TABLE it looks for tables of connections;"
        " without --endpoint for the account's WebSocket APIs, where apigateway:GET is granted."
        " Exit code 1, with the reason, if a sweep would not understand the table.",
    )
    command.add_argument("table", metavar="TABLE", nargs="?", help="the DynamoDB table to look at")
    command.add_argument(
        "--endpoint", metavar="URL", help="wss://{api}.execute-api.{region}.amazonaws.com/{stage}"
    )
    command.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    tidy_aws_variables(os.environ)
    configure_logs("console", "warning")
    session = boto3.Session()
    endpoint = _given_endpoint(arguments.endpoint, region_of(session))
    _forget_what_is_set()
    region = region_of(session) or (endpoint.region if endpoint else "")
    if not region:
        raise SettingsError({"AWS_REGION": ["is required where --endpoint names no Region"]})
    known = access(session, region)
    try:
        table = arguments.table or _only_table(session, known)
        with closing(make_gateway(known, TIMEOUT_SECONDS, b"")) as gateway:
            for proposal in _proposals(table, endpoint, known, gateway):
                print(*_lines(proposal), sep="\n", flush=True)
    except NoSettingsFit as why:
        print(f"# {masked(str(why))}", flush=True)
        return fail(str(why))
    return DONE


def _given_endpoint(url: str | None, region: str | None) -> Endpoint | None:
    """That of the command line, else of REAPER_API_ENDPOINT. Raises SettingsError."""
    name, url = ("--endpoint", url) if url else ("REAPER_API_ENDPOINT", _configured_url())
    try:
        return parse_endpoint(url, region) if url else None
    except ValueError as error:
        raise SettingsError({name: [f"{error} (it is {url!r})"]}) from None


def _forget_what_is_set() -> None:
    """So that it is not taken for what is found."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


def _configured_url() -> str:
    return os.environ.get("REAPER_API_ENDPOINT", "").strip()


def _proposals(
    name: str, endpoint: Endpoint | None, known: Access, gateway: Gateway
) -> Iterator[Proposal]:
    with closing(make_table_named(name, None, known)) as table:
        table.describe()
        _tell(f"reading up to {MAX_ROWS:,} rows of {name}, at most {MAX_READ_UNITS} read units")
        items = sample(table)
        given = Discovery(table, items, gateway, endpoint, known.region)
        if endpoint is None:
            given = choose_endpoint(given, lambda: websocket_endpoints(known.session, known.region))
        found = []
        for proposal in discover(given):
            found.append(proposal)
            yield proposal
        must_be_understood(given, found)


def _only_table(session: boto3.Session, known: Access) -> str:
    """The one that looks like a table of connections. Raises NoSettingsFit."""
    names = [name for name in table_names(session, known.region) if _holds_ids(name, known)]
    if len(names) == 1:
        return names[0]
    found = f"these tables hold ids: {', '.join(names)}" if names else "no table holds ids"
    raise NoSettingsFit(f"{found}. Name one: reaper discover TABLE")


def _holds_ids(name: str, known: Access) -> bool:
    """By a page of a few rows."""
    items: list[Item] = []
    with closing(make_table_named(name, None, known)) as table:
        try:
            table.describe()
            items = table.scan_page(None, limit=50).items()
        except TableError as error:
            _tell(f"{name} is passed over: {error}")
        return any(place.is_certain for place in id_places(items, table.key_names))


def _tell(what: str) -> None:
    """Progress goes to stderr: stdout is for a shell."""
    print(masked(f"reaper: {what}"), file=sys.stderr, flush=True)


def _lines(proposal: Proposal) -> list[str]:
    why = " ".join(masked(proposal.why).split())
    if not proposal.variable:
        return [f"# {why}"]
    line = f"{PREFIX}{proposal.variable}={shlex.quote(proposal.value)}"
    return [f"# {why}", line if proposal.is_sure else f"# {' '.join(line.split())}"]
