"""Triage: which rows are left alone, and which are asked after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from math import inf
from typing import NamedTuple

from reaper.core.model import CHECK, HEARTBEAT, Ask
from reaper.core.rows.row import Row


class RowKind(StrEnum):
    MALFORMED = "malformed"
    FOREIGN = "foreign"
    NEWBORN = "newborn"
    EXPIRED = "expired"
    FRESH = "fresh"
    DUE = "due"


class HeartbeatMode(Enum):
    OFF = "off"
    IDLE = "idle"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class TriageRules:
    """The operator's limits, in seconds."""

    newborn_grace_seconds: float
    max_connection_age_seconds: float
    """No socket lives that long; 0 where that is not known."""
    fresh_seconds: float
    heartbeat_mode: HeartbeatMode
    heartbeat_interval_seconds: float


class Cutoffs(NamedTuple):
    """The moments that tell rows apart, in epoch seconds: worked out once for many rows."""

    now: float
    newborn_after: float
    fresh_after: float
    awake_after: float
    """Who was active since then may wait for the next turn without a heartbeat."""
    expired_before: float
    always_heartbeat: bool

    @classmethod
    def at(cls, now: float, next_turn_at: float, rules: TriageRules) -> Cutoffs:
        """``next_turn_at`` is the latest moment at which the rows are looked at again."""
        sends_none = rules.heartbeat_mode is HeartbeatMode.OFF
        return cls(
            now=now,
            newborn_after=now - rules.newborn_grace_seconds,
            fresh_after=now - rules.fresh_seconds,
            awake_after=-inf if sends_none else next_turn_at - rules.heartbeat_interval_seconds,
            expired_before=now - (rules.max_connection_age_seconds or inf),
            always_heartbeat=rules.heartbeat_mode is HeartbeatMode.ALWAYS,
        )


def triage(row: Row, cutoffs: Cutoffs) -> RowKind:
    """Sort one row.

    A time in the future says nothing of youth. An expired row is older, by its own time, than a
    socket can live; whether that time can be believed is not known here, so it is asked too.
    """
    if not row.connection_id:
        return RowKind.MALFORMED
    if row.endpoint is None:
        return RowKind.FOREIGN
    connected_at = row.connected_at
    if connected_at is not None and cutoffs.newborn_after < connected_at <= cutoffs.now:
        return RowKind.NEWBORN if connected_at >= cutoffs.awake_after else RowKind.DUE
    last_seen_at = row.last_seen_at
    if last_seen_at is not None and last_seen_at > cutoffs.fresh_after:
        return RowKind.FRESH if last_seen_at >= cutoffs.awake_after else RowKind.DUE
    return RowKind.EXPIRED if is_expired(row, cutoffs) else RowKind.DUE


def is_expired(row: Row, cutoffs: Cutoffs) -> bool:
    """Older, by its own time, than the platform lets a socket live."""
    return row.connected_at is not None and row.connected_at < cutoffs.expired_before


def how_to_ask(row: Row, cutoffs: Cutoffs) -> Ask:
    """Check or heartbeat. Where the row does not tell its last activity, a check finds out."""
    if cutoffs.always_heartbeat:
        return HEARTBEAT
    last_seen_at = row.last_seen_at
    if last_seen_at is None or last_seen_at >= cutoffs.awake_after:
        return CHECK
    return HEARTBEAT
