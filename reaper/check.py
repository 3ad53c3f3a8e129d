"""Preflight: everything that a sweep will need, tried without changing anything."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterator

from reaper.aws.connections import ConnectionsTable
from reaper.aws.errors import AccessDenied, HookAccessDenied, HookError, TableError
from reaper.aws.gateway import Gateway
from reaper.aws.hooks import Hook
from reaper.aws.messages import CloudWatchMessages, MessagesUnknown
from reaper.aws.metrics import MetricsUnsent, try_put_metrics
from reaper.aws.session import tls_fault
from reaper.core.births import Births
from reaper.core.calibration import Calibration, cure_of
from reaper.core.items import Item
from reaper.core.model import Answer, Ask, Endpoint, Outcome, Probe, Purpose, Row
from reaper.core.policy import connections_arn, partition, statement
from reaper.core.rows import RowReader
from reaper.core.rules import EvictAction, EvictScope
from reaper.core.triage import HeartbeatMode
from reaper.findings import Finding, findings_of_rows, not_granted
from reaper.rulebook import row_shape
from reaper.settings import Settings
from reaper.worker import Worker

SAMPLE_ROWS = 1000
SAMPLE_PROBES = 20
MOST_ENDPOINTS = 10


def check(settings: Settings, worker: Worker) -> Iterator[Finding]:
    """Try each thing in turn. What a failed one makes impossible is left out."""
    rows: list[Row] = []
    yield from _check_table(settings, worker, rows)
    for hook in worker.hooks:
        yield _check_hook(hook)
    endpoints = {row.endpoint for row in rows if row.endpoint is not None}
    if configured := settings.endpoint(worker.region):
        endpoints.add(configured)
    for endpoint in sorted(endpoints)[:MOST_ENDPOINTS]:
        findings = list(_check_endpoint(endpoint, settings, worker))
        yield from findings
        if all(finding.ok for finding in findings):
            own = [row for row in rows if row.endpoint == endpoint and row.connection_id]
            sampled = list(_check_sample(_youngest(own, settings), settings, worker))
            yield from sampled
            if all(finding.ok for finding in sampled):
                yield from _check_sharing(endpoint, own, worker.messages)
    if len(endpoints) > MOST_ENDPOINTS:
        yield Finding(
            True, f"{len(endpoints)} endpoints in all, of which {MOST_ENDPOINTS} were tried"
        )
    if worker.messages is not None:
        yield _check_messages(worker.messages, endpoints)
    if "cloudwatch" in settings.metrics:
        yield _check_metrics(settings, worker)
    if settings.queue_url is not None:
        yield from _check_queue(settings.queue_url, worker)


# The table


def _check_table(settings: Settings, worker: Worker, rows: list[Row]) -> Iterator[Finding]:
    """Fills ``rows`` with a sample of the table's."""
    table = worker.table
    resource = f"arn:{partition(worker.region)}:dynamodb:{worker.region}:*:table/{table.name}"
    described = _try("dynamodb:DescribeTable", resource, table.describe)
    if not described.ok:
        yield described
        return
    keys = " and ".join(table.key_names)
    where = f", index {table.index}" if table.index else ""
    yield Finding(True, f"table {table.name} in {table.region}{where}: key {keys}")
    try:
        shape = row_shape(settings, table)
    except TableError as error:
        yield Finding(False, str(error))
        return
    items: list[Item] = []
    scanned = f"{table.arn}/index/{table.index}" if table.index else table.arn
    yield _try("dynamodb:Scan", scanned, lambda: items.extend(_sample(table)))
    for action, try_it in _table_permissions(settings, table):
        yield _try(action, table.arn, try_it)
    rows += RowReader(shape, worker.resolver).read_page(items, time.time())
    yield from findings_of_rows(items, rows, shape, settings, time.time())


def _sample(table: ConnectionsTable) -> list[Item]:
    items: list[Item] = []
    page = table.scan_page(None, limit=SAMPLE_ROWS)
    items += page.items()
    while page.next_key is not None and len(items) < SAMPLE_ROWS:
        page = table.scan_page(None, page.next_key, limit=SAMPLE_ROWS - len(items))
        items += page.items()
    return items


def _table_permissions(
    settings: Settings, table: ConnectionsTable
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What evictions need, tried on a row that cannot exist."""
    key = table.impossible_key()
    yield "dynamodb:BatchGetItem", lambda: table.read([key])
    if settings.evict_action is EvictAction.DELETE:
        yield "dynamodb:DeleteItem", table.try_delete
    if settings.evict_scope is EvictScope.PARTITION:
        yield "dynamodb:Query", lambda: table.read_partition(key)
        yield "dynamodb:ConditionCheckItem", table.try_transaction
    if settings.evict_action is EvictAction.CLEAR or settings.expects_pongs:
        yield "dynamodb:UpdateItem", table.try_update


def _try(action: str, resource: str, try_it: Callable[[], object]) -> Finding:
    try:
        try_it()
    except AccessDenied:
        return not_granted(action, resource)
    except TableError as error:
        return Finding(False, str(error))
    return Finding(True, f"{action} is granted")


# Hooks and messages


def _check_hook(hook: Hook) -> Finding:
    try:
        hook.try_out()
    except HookAccessDenied as error:
        return not_granted(error.permission, hook.arn)
    except HookError as error:
        return Finding(False, str(error))
    return Finding(True, f"{hook.permission} on {hook.name} is granted")


def _check_messages(source: CloudWatchMessages, endpoints: set[Endpoint]) -> Finding:
    try:
        count = source.count(endpoints, time.time())
    except AccessDenied:
        return not_granted("cloudwatch:GetMetricData", "*")
    except MessagesUnknown as error:
        return Finding(False, f"{error} (REAPER_MESSAGE_SOURCE)")
    return Finding(
        True, f"cloudwatch:GetMetricData is granted: {count} messages in the last window"
    )


def _check_metrics(settings: Settings, worker: Worker) -> Finding:
    try:
        try_put_metrics(worker.session, worker.region, settings.metrics_namespace)
    except AccessDenied:
        return not_granted("cloudwatch:PutMetricData", "*")
    except MetricsUnsent as error:
        return Finding(False, f"{error} (REAPER_METRICS)")
    return Finding(True, "cloudwatch:PutMetricData is granted")


def _check_queue(url: str, worker: Worker) -> Iterator[Finding]:
    """Imported only where there is one."""
    from reaper.aws.queue import WorkQueue
    from reaper.check_queue import check_queue

    return check_queue(WorkQueue(worker.session, worker.region, url))


# The gateway


def _check_endpoint(endpoint: Endpoint, settings: Settings, worker: Worker) -> Iterator[Finding]:
    """Ask after, and close, a connection that does not exist: a 410 is the right answer."""
    asks = [Ask.CHECK]
    if settings.heartbeat_mode is not HeartbeatMode.OFF:
        asks.append(Ask.HEARTBEAT)
    if settings.expects_pongs:
        asks.append(Ask.CLOSE)
    for ask in asks:
        nobody = "".join(secrets.choice(string.ascii_letters) for _ in range(15)) + "="
        answer = _ask(worker.gateway, [Probe(endpoint, nobody, ask, Purpose.DUE)])[0]
        yield _finding_of_answer(answer, endpoint, ask, worker.ca_file)


def _finding_of_answer(answer: Answer, endpoint: Endpoint, ask: Ask, ca_file: str) -> Finding:
    what = f"{endpoint}: {ask.value} @connections"
    match answer.outcome:
        case Outcome.GONE | Outcome.ALIVE:
            return Finding(True, f"{what} is granted and answers")
        case Outcome.DENIED:
            grant = statement("execute-api:ManageConnections", connections_arn(endpoint, ask))
            return Finding(
                False,
                f"{what} answers {answer.detail}. If the stage and path of the endpoint are right,"
                f" add to the role's policy: {grant}",
            )
        case Outcome.THROTTLED:
            return Finding(
                False,
                f"{what} answers {answer.detail}: the account's throttle is exhausted; try again,"
                " and consider a smaller REAPER_QUOTA_SHARE",
            )
        case _:
            why = tls_fault(endpoint, ca_file) or answer.detail
            return Finding(False, f"{what}: {why}: correct REAPER_API_ENDPOINT if it is wrong")


def _youngest(rows: list[Row], settings: Settings) -> list[Row]:
    """Those who are likeliest to be connected, apart from newborns, who answer 410 meanwhile."""
    grown = time.time() - settings.newborn_grace_seconds
    known = [row for row in rows if row.connected_at is None or row.connected_at < grown]
    known.sort(key=lambda row: row.last_seen_at or row.connected_at or 0, reverse=True)
    return known[:SAMPLE_PROBES]


def _check_sample(rows: list[Row], settings: Settings, worker: Worker) -> Iterator[Finding]:
    if not rows:
        return
    answers = _ask(
        worker.gateway,
        [
            Probe(row.endpoint, row.connection_id, Ask.CHECK, Purpose.DUE, [row])
            for row in rows
            if row.endpoint is not None
        ],
    )
    alive = [answer for answer in answers if answer.outcome is Outcome.ALIVE]
    gone = sum(answer.outcome is Outcome.GONE for answer in answers)
    text = f"of {len(rows)} sampled connections {len(alive)} are alive and {gone} are gone"
    if untold := len(rows) - len(alive) - gone:
        text += f"; {untold} answers were inconclusive"
    if alive or not gone:
        yield Finding(not untold, text)
    else:
        yield Finding(
            False,
            f"{text}: if clients are connected now, REAPER_API_ENDPOINT is another API's",
        )
    yield from _check_times(alive, settings, worker)


def _check_times(alive: list[Answer], settings: Settings, worker: Worker) -> Iterator[Finding]:
    """What living rows say of when they connected, against the gateway's own account."""
    reader = RowReader(row_shape(settings, worker.table), worker.resolver)
    calibration = Calibration()
    for answer in alive:
        for row in answer.probe.rows:
            time_on_row = reader.connection_time(row.item)
            if answer.connected_at is not None and time_on_row is not None:
                calibration.learn(row.connection_id, time_on_row, answer.connected_at)
    name = ".".join(settings.connected_at_attribute)
    if offset := calibration.offset:
        cure = cure_of(
            offset, settings.connected_at_offset_seconds, settings.time_zone, time.time()
        )
        yield Finding(
            False,
            f"{name}: {offset.rows} living rows are all off by {offset.seconds:,.0f} s from when"
            f" the gateway saw them connect: set {cure}",
        )
    elif calibration.refuted_by_seconds:
        yield Finding(
            False,
            f"{name}: a living row's is {calibration.refuted_by_seconds:,.0f} s earlier than the"
            " gateway saw it connect, so it holds some other time: correct"
            " REAPER_CONNECTED_AT_ATTRIBUTE. Until then age says nothing, which is safe but slow",
        )
    elif calibration.is_calibrated:
        yield Finding(True, f"{name}: living rows agree with the gateway on when they connected")


def _check_sharing(
    endpoint: Endpoint, rows: list[Row], messages: CloudWatchMessages | None
) -> Iterator[Finding]:
    """Whether more rows were born than clients connected, by CloudWatch's account."""
    births = Births(time.time())
    births.note(rows)
    connects = messages.connects(endpoint, births.window) if messages is not None else None
    if connects is not None and connects < births.of(endpoint):
        yield Finding(
            False,
            f"{births.of(endpoint):,} sampled rows were born in two hours in which {connects:,}"
            " clients connected to this API (CloudWatch's ConnectCount), so another API writes into"
            " the table too: give rows their endpoint (REAPER_ENDPOINT_ATTRIBUTE), or each API its"
            " own table",
        )


def _ask(gateway: Gateway, probes: list[Probe]) -> list[Answer]:
    """Put a few questions at once. Every one is answered, by the deadline at the latest."""
    for probe in probes:
        gateway.start(probe)
    answers: list[Answer] = []
    while len(answers) < len(probes):
        answers += gateway.poll(1.0)
    return answers
