"""The @connections management API: probes go in, answers come out, and nothing is raised."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from reaper.aws.http import HttpClient, Response
from reaper.core.model import Answer, Ask, Outcome, Probe
from reaper.core.times import epoch_seconds
from reaper.core.verdict import outcome_of_status

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
        )

    def poll(self, wait_seconds: float) -> list[Answer]:
        """The answers that have come, waiting up to so long for the first."""
        return [self._answer(response) for response in self._client.poll(wait_seconds)]

    def close(self) -> None:
        self._client.close()

    def _answer(self, response: Response) -> Answer:
        probe = response.tag
        if response.status is None:
            return Answer(probe, Outcome.UNKNOWN, response.error)
        outcome = outcome_of_status(response.status, probe.ask)
        if outcome is not Outcome.ALIVE:
            return Answer(probe, outcome, _describe(response))
        last_active_at = _last_active_at(response.body, self._wall_clock())
        return Answer(probe, outcome, "200", last_active_at)


def connection_path(base: str, connection_id: str) -> str:
    """The path of a connection; its id is percent-encoded exactly once."""
    if connection_id.isascii():
        return f"{base}/@connections/{connection_id.translate(_QUOTED)}"
    return f"{base}/@connections/{quote(connection_id, safe='')}"


def _describe(response: Response) -> str:
    """Status and error type. The type is AWS's word; the rest of a body is nobody's business."""
    error_type = response.header("x-amzn-errortype").split(":")[0]
    return f"{response.status} {error_type}".strip()


def _last_active_at(body: bytes, now: float) -> float | None:
    """When the gateway last saw the client, from the body of a check. None if it does not say."""
    try:
        held: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(held, dict):
        return None
    # AWS writes lastActiveAt in ISO 8601, the local stand-in LastActiveAt in epoch seconds.
    value = held.get("lastActiveAt", held.get("LastActiveAt"))
    return None if value is None else epoch_seconds({"S": str(value)}, now)
