"""The @connections management API: probes go in, answers come out, and nothing is raised."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from reaper.aws.transport.http import HttpClient, Response
from reaper.core.model import Answer, Ask, Outcome, Probe
from reaper.core.rows.times import epoch_seconds
from reaper.core.status_codes import outcome_of

CLOCKS_DIFFER_SECONDS = 3600.0
"""A time of the gateway's makes sense even where this host's clock is slow by so much."""

_QUOTED = {ord(character): quote(character, safe="") for character in map(chr, range(128))}


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
            probe.ask.value,
            connection_path(probe.endpoint.path, probe.connection_id),
            self._heartbeat_payload if probe.ask is Ask.HEARTBEAT else b"",
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
            return Answer(probe, Outcome.UNKNOWN, response.error)
        told = _read_check(response.body) if probe.ask is Ask.CHECK else None
        has_request_id = bool(response.header("x-amzn-requestid"))
        outcome = outcome_of(
            response.status,
            probe.ask,
            is_foreign=_is_html(response) and not _is_amazons(response),
            is_own_200=has_request_id or told is not None or not probe.endpoint.is_execute_api,
        )
        if outcome is not Outcome.ALIVE or told is None:
            detail = _describe(response, outcome)
            return Answer(probe, outcome, detail, connection=response.connection)
        now = self._wall_clock()
        return Answer(
            probe,
            outcome,
            "200",
            _moment(told.last_active_at, now),
            _moment(told.connected_at, now),
            _epoch_of_date(response.header("date")),
        )


def connection_path(base: str, connection_id: str) -> str:
    """The path of a connection; its id is percent-encoded exactly once."""
    if connection_id.isascii():
        return f"{base}/@connections/{connection_id.translate(_QUOTED)}"
    return f"{base}/@connections/{quote(connection_id, safe='')}"


def _describe(response: Response, outcome: Outcome) -> str:
    """Status and error type. The type is AWS's word; the rest of a body is nobody's business."""
    if outcome is Outcome.UNKNOWN and response.status in (200, 410):
        return f"{response.status}, but not API Gateway's own: is there a proxy in between?"
    error_type = response.header("x-amzn-errortype").split(":")[0]
    return f"{response.status} {error_type}".strip()


def _is_html(response: Response) -> bool:
    return "html" in response.header("content-type").lower() or response.body[:1] == b"<"


def _is_amazons(response: Response) -> bool:
    return any(name.lower().startswith("x-amzn-") for name, _ in response.headers)


class _Check(NamedTuple):
    """What a check that was answered 200 tells, as it is written there."""

    connected_at: Any
    last_active_at: Any


def _read_check(body: bytes) -> _Check | None:
    """None where a body is not that of such an answer."""
    try:
        held: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    # AWS writes camelCase and ISO 8601, the local stand-in PascalCase and epoch seconds.
    connected_at = held.get("connectedAt", held.get("ConnectedAt"))
    if connected_at is None:
        return None
    return _Check(connected_at, held.get("lastActiveAt", held.get("LastActiveAt")))


def _moment(value: Any, now: float) -> float | None:
    return None if value is None else epoch_seconds({"S": str(value)}, now + CLOCKS_DIFFER_SECONDS)


@lru_cache(8)
def _epoch_of_date(header: str) -> float | None:
    """The value of a Date header; it changes once a second."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
