"""The @connections management API: probes go in, answers come out, and nothing is raised."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from reaper.aws.json_bodies import UnreadableBody, read_json, read_object, read_refusal
from reaper.aws.service_errors import clock_skew, epoch_of_date
from reaper.aws.transport.http import HttpClient, Response
from reaper.core.errors import Refused
from reaper.core.iam import MANAGE_CONNECTIONS
from reaper.core.model import ALIVE, CHECK, HEARTBEAT, Answer, Outcome, Probe
from reaper.core.refusals import Refusal, explain_refusal, tidied
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.times import epoch_seconds, plausible
from reaper.core.status_codes import outcome_of

MAX_CHECK_BYTES = 65_536
"""API Gateway's answers are below 1 kB."""

CLOCKS_DIFFER_SECONDS = 3600.0
"""A time of the gateway's makes sense even where this host's clock is slow by so much."""

_TITLE = re.compile(rb"<(title|h1)[^>]*>(.{1,200}?)</", re.IGNORECASE | re.DOTALL)

_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")

_OWN_HEADER = b"\r\nx-amzn-"

_USUAL_ID = re.compile(r"[A-Za-z0-9_-]+=*")


class Gateway:
    """Asks API Gateway after connections."""

    def __init__(
        self,
        client: HttpClient,
        heartbeat_payload: bytes,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._heartbeat_payload = heartbeat_payload
        self._wall_clock = wall_clock

    @property
    def in_flight(self) -> int:
        """Probes started whose answers have not been handed back."""
        return self._client.in_flight

    def start(self, probe: Probe) -> None:
        """Send one probe; its answer comes from a later ``poll``."""
        self._client.send(
            probe.endpoint,
            probe.ask,
            connection_path(probe.endpoint.path, probe.connection_id),
            self._heartbeat_payload if probe.ask is HEARTBEAT else b"",
            probe,
            not_over=probe.not_over if probe.is_rested else None,
        )

    def poll(self, wait_seconds: float) -> list[Answer]:
        """The answers that have come, waiting up to so long for the first."""
        return [self._answer(response) for response in self._client.poll(wait_seconds)]

    def close(self) -> None:
        self._client.close()

    def _answer(self, response: Response) -> Answer:
        probe: Probe = response.tag
        if response.status is None:
            return Answer(
                probe,
                Outcome.UNKNOWN,
                response.error,
                was_stale=response.was_stale,
                refusal=explain_refusal("", response.error, MANAGE_CONNECTIONS),
            )
        if response.status == 200 and probe.ask is CHECK:
            told = _read_check(response.body, self._wall_clock())
            if told is not None:
                return Answer(probe, ALIVE, "200", *told, epoch_of_date(response.date))
        outcome = outcome_of(
            response.status,
            probe.ask,
            is_foreign=_is_foreign(response),
            is_own_200=response.status == 200 and _is_own(response, probe.endpoint),
        )
        refusal = self._refusal(response) if response.status in (400, 401, 403) else None
        if refusal is not None and refusal.refused is Refused.CREDENTIALS:
            outcome = Outcome.DENIED  # also where it is a 400: no id is at fault
        detail = _describe(response, outcome)
        return Answer(probe, outcome, detail, connection=response.connection, refusal=refusal)

    def _refusal(self, response: Response) -> Refusal | None:
        _, message = read_refusal(response.body)
        skew_seconds = clock_skew(response.date, self._wall_clock())
        return explain_refusal(response.error_type, message, MANAGE_CONNECTIONS, skew_seconds)


def connection_path(base: str, connection_id: str) -> str:
    """The path of a connection; its id is percent-encoded exactly once."""
    if _USUAL_ID.fullmatch(connection_id):
        return f"{base}/@connections/{connection_id.replace('=', '%3D')}"
    return f"{base}/@connections/{quote(connection_id, safe='')}"


def _describe(response: Response, outcome: Outcome) -> str:
    """Status and error type, and of a refusal AWS's own sentence. The rest is nobody's business."""
    if outcome is Outcome.UNKNOWN and response.status in (200, 410):
        return f"{response.status}, but not API Gateway's own: is there a proxy in between?"
    if outcome is Outcome.UNKNOWN and _is_foreign(response):
        return (
            f"{response.status} with a page in HTML{_title(response.body)}, which is not API"
            " Gateway's: a firewall (WAF), a CDN or a proxy in between refuses or fails"
        )
    words = f"{response.status} {response.error_type}".strip()
    if outcome is Outcome.DENIED and (message := read_refusal(response.body)[1]):
        return f"{words}: {tidied(message)}"
    return words


def _title(page: bytes) -> str:
    found = _TITLE.search(page)
    if found is None:
        return ""
    text = _ADDRESS.sub("…", found[2].decode(errors="replace"))
    return f' ("{tidied(text)}")'


def _is_own(response: Response, endpoint: Endpoint) -> bool:
    """Whether an answer of 200 is API Gateway's own, as far as that can be told."""
    return bool(response.header(b"x-amzn-requestid")) or not endpoint.is_execute_api


def _is_foreign(response: Response) -> bool:
    """Whether it is a page of something in between."""
    if _OWN_HEADER in response.head.lower():
        return False
    return "html" in response.header(b"content-type").lower() or response.body[:1] == b"<"


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _AsAwsWrites(msgspec.Struct, rename="camel"):
    connected_at: _Moment
    last_active_at: _Moment


_as_aws_writes = msgspec.json.Decoder(_AsAwsWrites)


_Told = tuple[float | None, float | None]
"""When a client was last active and when it connected, in epoch seconds; None for no time."""


def _read_check(body: bytes, now: float) -> _Told | None:
    """What a check that was answered 200 tells; None where a body is not that of such an answer.

    AWS writes camelCase and ISO 8601, the local stand-in PascalCase and epoch seconds.
    """
    try:
        told = read_json(_as_aws_writes, body)
    except UnreadableBody:
        return _read_other_check(body, now)
    latest = now + CLOCKS_DIFFER_SECONDS
    return (
        plausible(told.last_active_at.timestamp(), latest),
        plausible(told.connected_at.timestamp(), latest),
    )


def _read_other_check(body: bytes, now: float) -> _Told | None:
    held = read_object(body)
    connected_at = held.get("connectedAt", held.get("ConnectedAt"))
    if connected_at is None:
        return None
    last_active_at = held.get("lastActiveAt", held.get("LastActiveAt"))
    return _moment(last_active_at, now), _moment(connected_at, now)


def _moment(value: Any, now: float) -> float | None:
    return None if value is None else epoch_seconds({"S": str(value)}, now + CLOCKS_DIFFER_SECONDS)
