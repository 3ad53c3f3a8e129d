"""Rows as tests need them: only what matters is said."""

from __future__ import annotations

from reaper.core.rows.endpoint import Endpoint, parse_endpoint
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.triage import HeartbeatMode, TriageRules

NOW = 1_795_500_000.0
ENDPOINT = parse_endpoint("https://ws.example.com/prod", "eu-west-1")
"""A custom domain, behind which ids may have any form."""

EXECUTE_API = parse_endpoint("https://abc123.execute-api.eu-west-1.amazonaws.com/prod", None)

SHAPE = RowShape(
    key_names=("connectionId",),
    connection_id=("connectionId",),
    connected_at=("connectedAt",),
    last_seen_at=("lastSeenAt",),
    message_count=("messageCount",),
)

DEFAULT_RULES = TriageRules(
    newborn_grace_seconds=60,
    max_connection_age_seconds=7500,
    fresh_seconds=180,
    heartbeat_mode=HeartbeatMode.IDLE,
    heartbeat_interval_seconds=480,
)


def a_row(
    connection_id: str = "R0oXAdfD0kwCH6w=",
    *,
    age: float | None = None,
    silent: float | None = None,
    endpoint: Endpoint | None = ENDPOINT,
    messages: int = 0,
    now: float = NOW,
) -> Row:
    """A row whose connection is ``age`` seconds old and was seen ``silent`` seconds ago."""
    return Row(
        item={"connectionId": {"S": connection_id}},
        shape=SHAPE,
        connection_id=connection_id,
        endpoint=endpoint,
        connected_at=None if age is None else now - age,
        last_seen_at=None if silent is None else now - silent,
        message_count=messages,
    )
