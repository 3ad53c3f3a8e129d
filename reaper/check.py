"""Preflight: everything that a sweep will need, tried without changing anything."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Iterator
from typing import NamedTuple

from reaper.aws.connections import ConnectionsTable
from reaper.aws.errors import TableError
from reaper.aws.gateway import Gateway
from reaper.aws.messages import CloudWatchMessages, MessagesUnknown
from reaper.aws.session import tls_fault
from reaper.core.model import Answer, Ask, Endpoint, Item, Outcome, Probe, Purpose, Row
from reaper.core.rows import AttributePath, RowReader, RowShape, attribute
from reaper.core.times import epoch_seconds
from reaper.core.triage import HeartbeatMode
from reaper.rulebook import row_shape
from reaper.settings import Settings
from reaper.worker import Worker

SAMPLE_ROWS = 100
SAMPLE_PROBES = 20


class Finding(NamedTuple):
    ok: bool
    text: str


def check(settings: Settings, worker: Worker) -> Iterator[Finding]:
    """Try each thing in turn. What a failed one makes impossible is left out."""
    table = worker.table
    try:
        table.describe()
    except TableError as error:
        yield Finding(False, str(error))
        return
    keys = " and ".join(table.key_names)
    where = f", index {table.index}" if table.index else ""
    yield Finding(True, f"table {table.name} in {table.region}{where}: key {keys}")
    try:
        shape = row_shape(settings, table)
    except TableError as error:
        yield Finding(False, str(error))
        return
    reader = RowReader(shape, worker.resolver)
    rows: list[Row] = []
    try:
        items = table.scan_page(None, limit=SAMPLE_ROWS).items
    except TableError as error:
        yield Finding(False, str(error))
    else:
        rows = reader.read_page(items, time.time())
        yield from _check_rows(items, rows, shape)
    yield from _check_writes(table)
    endpoints = {row.endpoint for row in rows if row.endpoint is not None}
    if configured := settings.endpoint(worker.region):
        endpoints.add(configured)
    for endpoint in sorted(endpoints):
        findings = list(_check_endpoint(endpoint, worker.gateway, settings, worker.ca_file))
        yield from findings
        if all(finding.ok for finding in findings):
            sample = [row for row in rows if row.endpoint == endpoint][:SAMPLE_PROBES]
            yield from _check_sample(sample, worker.gateway)
    if worker.messages is not None:
        yield _check_messages(worker.messages, endpoints)


def _check_rows(items: list[Item], rows: list[Row], shape: RowShape) -> Iterator[Finding]:
    if not items:
        yield Finding(True, "dynamodb:Scan works; the table is empty, so nothing tells its shape")
        return
    usable = sum(row.connection_id != "" for row in rows)
    name = ".".join(shape.connection_id)
    if usable:
        yield Finding(True, f"{name}: a connection id in {usable} of {len(items)} sampled rows")
    else:
        held = ", ".join(sorted({attribute for item in items for attribute in item}))
        yield Finding(
            False,
            f"{name}: no connection id in any of {len(items)} sampled rows, which hold {held}:"
            " correct REAPER_CONNECTION_ID_ATTRIBUTE (or _PATTERN, or REAPER_ROW_FILTER)",
        )
    yield from _check_endpoints(items, rows, shape)
    for variable, path in (
        ("REAPER_CONNECTED_AT_ATTRIBUTE", shape.connected_at),
        ("REAPER_LAST_SEEN_ATTRIBUTE", shape.last_seen_at),
    ):
        if shape.can_bring(path):
            yield _check_time(items, path, variable)
        else:
            name = ".".join(path)
            yield Finding(True, f"{name}: not in the index, so the rules that need it do not apply")


def _check_endpoints(items: list[Item], rows: list[Row], shape: RowShape) -> Iterator[Finding]:
    """Rows without the endpoint that they should name would be taken for our own."""
    if not shape.endpoint:
        return
    name = ", ".join(".".join(path) for path in shape.endpoint)
    naming = sum(
        any(attribute(item, path) is not None for path in shape.endpoint) for item in items
    )
    foreign = sum(row.endpoint is None for row in rows)
    yield Finding(
        naming == len(items),
        f"{name}: an endpoint in {naming} of {len(items)} sampled rows, {foreign} of them foreign"
        + ("" if naming == len(items) else "; the rest counts as REAPER_API_ENDPOINT's own")
        + " (REAPER_ENDPOINT_ATTRIBUTE)",
    )


def _check_time(items: list[Item], path: AttributePath, variable: str) -> Finding:
    now, name = time.time(), ".".join(path)
    present = [value for item in items if (value := attribute(item, path)) is not None]
    sensible = sum(epoch_seconds(value, now) is not None for value in present)
    if not present:
        return Finding(True, f"{name}: in no sampled row, so the rules that need it do not apply")
    return Finding(
        sensible == len(present),
        f"{name}: a time in {sensible} of {len(present)} rows that have it"
        + ("" if sensible == len(present) else f"; the rest counts as absent ({variable})"),
    )


def _check_writes(table: ConnectionsTable) -> Iterator[Finding]:
    """Read and delete a row that cannot exist: the answer tells whether it would be allowed."""
    key = table.impossible_key()
    for what, try_it in (
        ("dynamodb:BatchGetItem", lambda: table.read([key])),
        ("dynamodb:DeleteItem", table.try_delete),
    ):
        try:
            try_it()
        except TableError as error:
            yield Finding(False, str(error))
        else:
            yield Finding(True, f"{what} is granted")


def _check_endpoint(
    endpoint: Endpoint, gateway: Gateway, settings: Settings, ca_file: str
) -> Iterator[Finding]:
    """Ask after a connection that does not exist: a 410 is the right answer."""
    asks = [Ask.CHECK]
    if settings.heartbeat_mode is not HeartbeatMode.OFF:
        asks.append(Ask.HEARTBEAT)
    for ask in asks:
        nobody = "".join(secrets.choice(string.ascii_letters) for _ in range(15)) + "="
        answer = _ask(gateway, [Probe(endpoint, nobody, ask, Purpose.DUE)])[0]
        what = f"{endpoint}: {ask.value} @connections"
        match answer.outcome:
            case Outcome.GONE | Outcome.ALIVE:
                yield Finding(True, f"{what} is granted and answers")
            case Outcome.DENIED:
                yield Finding(
                    False,
                    f"{what} answers {answer.detail}: grant execute-api:ManageConnections on"
                    f" arn:aws:execute-api:{endpoint.region}:*:{endpoint.api_id or '*'}/"
                    f"{endpoint.stage or '*'}/{ask.value}/@connections/*, or correct the stage in"
                    " REAPER_API_ENDPOINT",
                )
            case _:
                why = tls_fault(endpoint, ca_file) or answer.detail
                yield Finding(False, f"{what}: {why}: correct REAPER_API_ENDPOINT if it is wrong")


def _check_sample(rows: list[Row], gateway: Gateway) -> Iterator[Finding]:
    probes = [
        Probe(row.endpoint, row.connection_id, Ask.CHECK, Purpose.DUE)
        for row in rows
        if row.endpoint is not None and row.connection_id
    ]
    if not probes:
        return
    answers = _ask(gateway, probes)
    alive = sum(answer.outcome is Outcome.ALIVE for answer in answers)
    gone = sum(answer.outcome is Outcome.GONE for answer in answers)
    text = f"of {len(probes)} sampled connections {alive} are alive and {gone} are gone"
    if untold := len(probes) - alive - gone:
        text += f"; {untold} answers told nothing"
    if alive or not gone:
        yield Finding(not untold, text)
    else:
        yield Finding(
            False,
            f"{text}: if clients are connected now, REAPER_API_ENDPOINT is another API's",
        )


def _check_messages(source: CloudWatchMessages, endpoints: set[Endpoint]) -> Finding:
    try:
        count = source.count(endpoints, time.time())
    except MessagesUnknown as error:
        return Finding(False, f"{error} (REAPER_MESSAGE_SOURCE)")
    return Finding(
        True, f"cloudwatch:GetMetricData is granted: {count} messages in the last window"
    )


def _ask(gateway: Gateway, probes: list[Probe]) -> list[Answer]:
    """Put a few questions at once. Every one is answered, by the deadline at the latest."""
    for probe in probes:
        gateway.start(probe)
    answers: list[Answer] = []
    while len(answers) < len(probes):
        answers += gateway.poll(1.0)
    return answers
