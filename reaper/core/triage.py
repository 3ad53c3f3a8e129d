"""Triage: which rows are left alone, which are dead by age, and which are asked after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from math import inf
from typing import NamedTuple

from reaper.core.model import Ask, Row


class Triage(StrEnum):
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
    """0 switches the expired rule off."""
    fresh_seconds: float
    heartbeat_mode: HeartbeatMode
    heartbeat_interval_seconds: float


class Cutoffs(NamedTuple):
    """The moments that tell rows apart, in epoch seconds: worked out once for many rows."""

    newborn_after: float
    fresh_after: float
    awake_after: float
    """Who was active since then may wait for the next turn without a heartbeat."""
    expired_before: float
    longest_life_seconds: float
    always_heartbeat: bool

    @classmethod
    def at(cls, now: float, next_turn_at: float, rules: TriageRules) -> Cutoffs:
        """``next_turn_at`` is the latest moment at which the rows are looked at again."""
        longest_life = rules.max_connection_age_seconds or inf
        sends_none = rules.heartbeat_mode is HeartbeatMode.OFF
        return cls(
            newborn_after=now - rules.newborn_grace_seconds,
            fresh_after=now - rules.fresh_seconds,
            awake_after=-inf if sends_none else next_turn_at - rules.heartbeat_interval_seconds,
            expired_before=now - longest_life,
            longest_life_seconds=longest_life,
            always_heartbeat=rules.heartbeat_mode is HeartbeatMode.ALWAYS,
        )


def triage(row: Row, cutoffs: Cutoffs) -> Triage:
    """Sort one row."""
    if not row.connection_id:
        return Triage.MALFORMED
    if row.endpoint is None:
        return Triage.FOREIGN
    connected_at = row.connected_at
    if connected_at is not None and connected_at > cutoffs.newborn_after:
        return Triage.NEWBORN if connected_at >= cutoffs.awake_after else Triage.DUE
    if is_expired(row, cutoffs):
        return Triage.EXPIRED
    last_activity_at = row.last_activity_at
    if last_activity_at is not None and last_activity_at > cutoffs.fresh_after:
        return Triage.FRESH if last_activity_at >= cutoffs.awake_after else Triage.DUE
    return Triage.DUE


def is_expired(row: Row, cutoffs: Cutoffs) -> bool:
    """Older than the platform lets any socket live, which is proof of death without asking.

    A row seen alive when it should have been dead contradicts its own timestamp: there the
    timestamp means something else and proves nothing.
    """
    if row.connected_at is None or row.connected_at >= cutoffs.expired_before:
        return False
    limit = cutoffs.longest_life_seconds
    return row.last_seen_at is None or row.last_seen_at - row.connected_at <= limit


def how_to_ask(row: Row, cutoffs: Cutoffs) -> Ask:
    """Check or heartbeat. Where the row does not tell its last activity, a check finds out."""
    if cutoffs.always_heartbeat:
        return Ask.HEARTBEAT
    last_activity_at = row.last_activity_at
    if last_activity_at is None or last_activity_at >= cutoffs.awake_after:
        return Ask.CHECK
    return Ask.HEARTBEAT
