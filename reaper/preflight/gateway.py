"""Preflight of the gateway: each method on the endpoint, and a sample of the connections."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Iterator

from reaper.aws.clients import Clients
from reaper.aws.cloudwatch import CloudWatchMessages
from reaper.aws.gateway import Gateway
from reaper.aws.transport.connection import PROXY, TLS_FAILS
from reaper.config.policy import asks
from reaper.config.settings import Settings
from reaper.core.evidence.births import Births
from reaper.core.evidence.calibration import Calibration, cure_of
from reaper.core.iam import MANAGE_CONNECTIONS, connections_arn, statement
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import spelled
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.preflight.finding import Finding

SAMPLE_PROBES = 20


def check_endpoint(
    endpoint: Endpoint,
    rows: list[Row],
    reader: RowReader | None,
    settings: Settings,
    clients: Clients,
) -> Iterator[Finding]:
    """``rows`` are a sample of the table's; what a failed test makes impossible is left out."""
    findings = list(_check_methods(endpoint, settings, clients))
    yield from findings
    own = [row for row in rows if row.endpoint == endpoint and row.connection_id]
    if reader is None or not own or not all(finding.ok for finding in findings):
        return
    grown, newborn = _youngest(own, settings)
    if newborn:
        yield Finding(
            True,
            f"{newborn:,} rows younger than {settings.newborn_grace_seconds:g} s were not asked:"
            " until $connect has returned they answer 410 (REAPER_NEWBORN_GRACE_SECONDS)",
            is_hint=not grown,
        )
    sampled = list(_check_sample(grown, reader, settings, clients.gateway))
    yield from sampled
    if all(finding.ok for finding in sampled):
        yield from _check_sharing(endpoint, own, clients.messages)


def _check_methods(endpoint: Endpoint, settings: Settings, clients: Clients) -> Iterator[Finding]:
    """Ask after, and close, a connection that does not exist: a 410 is the right answer."""
    for ask in asks(settings):
        nobody = "".join(secrets.choice(string.ascii_letters) for _ in range(15)) + "="
        answer = _ask(clients.gateway, [Probe(endpoint, nobody, ask, Purpose.DUE)])[0]
        yield _finding_of_answer(answer, endpoint, ask)


def _finding_of_answer(answer: Answer, endpoint: Endpoint, ask: Ask) -> Finding:
    what = f"{endpoint}: {ask.value} @connections"
    match answer.outcome:
        case Outcome.GONE | Outcome.ALIVE:
            return Finding(True, f"{what} is granted and answers")
        case Outcome.DENIED:
            grant = statement(MANAGE_CONNECTIONS, connections_arn(endpoint, ask))
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
        case _ if answer.detail.startswith((TLS_FAILS, PROXY)):
            return Finding(False, f"{what}: {answer.detail}")
        case _:
            return Finding(
                False, f"{what}: {answer.detail}: correct REAPER_API_ENDPOINT if it is wrong"
            )


def _youngest(rows: list[Row], settings: Settings) -> tuple[list[Row], int]:
    """Those who are likeliest to be connected; and how many newborns are left out."""
    grown = time.time() - settings.newborn_grace_seconds
    known = [row for row in rows if row.connected_at is None or row.connected_at < grown]
    known.sort(key=lambda row: row.last_seen_at or row.connected_at or 0, reverse=True)
    return known[:SAMPLE_PROBES], len(rows) - len(known)


def _check_sample(
    rows: list[Row], reader: RowReader, settings: Settings, gateway: Gateway
) -> Iterator[Finding]:
    if not rows:
        return
    answers = _ask(
        gateway,
        [
            Probe(row.endpoint, row.connection_id, Ask.CHECK, Purpose.DUE, [row])
            for row in rows
            if row.endpoint is not None
        ],
    )
    alive = [answer for answer in answers if answer.outcome is Outcome.ALIVE]
    gone = sum(answer.outcome is Outcome.GONE for answer in answers)
    text = f"of {len(rows)} sampled connections {len(alive)} are alive and {gone} are gone"
    if inconclusive := len(rows) - len(alive) - gone:
        text += f"; {inconclusive} answers were inconclusive"
    if alive or not gone:
        yield Finding(not inconclusive, text)
    else:
        yield Finding(
            False,
            f"{text}: if clients are connected now, REAPER_API_ENDPOINT is another API's",
        )
    yield from _check_times(alive, reader, settings)


def _check_times(alive: list[Answer], reader: RowReader, settings: Settings) -> Iterator[Finding]:
    """What living rows say of when they connected, against the gateway's own account."""
    calibration = Calibration()
    for answer in alive:
        for row in answer.probe.rows:
            time_on_row = reader.connection_time(row)
            if answer.connected_at is not None and time_on_row is not None:
                calibration.learn(row.connection_id, time_on_row, answer.connected_at)
    name = spelled(settings.connected_at_attribute)
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
    """Send a few probes at once. Every one is answered, by the deadline at the latest."""
    for probe in probes:
        gateway.start(probe)
    answers: list[Answer] = []
    while len(answers) < len(probes):
        answers += gateway.poll(1.0)
    return answers
