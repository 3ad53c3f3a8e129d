"""Triage: which rows are left alone, which are dead by age, and which are asked after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from reaper.core.model import Ask, Row


class Triage(Enum):
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


def triage(row: Row, now: float, next_turn_at: float, rules: TriageRules) -> Triage:
    """Sort one row. ``next_turn_at`` is the latest moment at which it is looked at again."""
    if not row.connection_id:
        return Triage.MALFORMED
    if row.endpoint is None:
        return Triage.FOREIGN
    age = None if row.connected_at is None else now - row.connected_at
    if age is not None and age < rules.newborn_grace_seconds:
        return Triage.NEWBORN if may_stay_silent(age, now, next_turn_at, rules) else Triage.DUE
    if is_expired(row, now, rules):
        return Triage.EXPIRED
    if row.last_activity_at is not None:
        silent = now - row.last_activity_at
        if silent < rules.fresh_seconds and may_stay_silent(silent, now, next_turn_at, rules):
            return Triage.FRESH
    return Triage.DUE


def is_expired(row: Row, now: float, rules: TriageRules) -> bool:
    """Older than the platform lets any socket live, which is proof of death without asking.

    A row seen alive when it should have been dead contradicts its own timestamp: there the
    timestamp means something else and proves nothing.
    """
    limit = rules.max_connection_age_seconds
    if limit == 0 or row.connected_at is None or now - row.connected_at <= limit:
        return False
    return row.last_seen_at is None or row.last_seen_at - row.connected_at <= limit


def may_stay_silent(silent: float, now: float, next_turn_at: float, rules: TriageRules) -> bool:
    """Whether a socket silent for this long can wait for its next turn without a heartbeat."""
    if rules.heartbeat_mode is HeartbeatMode.OFF:
        return True
    return silent + (next_turn_at - now) <= rules.heartbeat_interval_seconds


def how_to_ask(row: Row, now: float, next_turn_at: float, rules: TriageRules) -> Ask:
    """Check or heartbeat. Where the row does not tell its last activity, a check finds out."""
    if rules.heartbeat_mode is HeartbeatMode.ALWAYS:
        return Ask.HEARTBEAT
    if row.last_activity_at is None:
        return Ask.CHECK
    silent = now - row.last_activity_at
    return Ask.CHECK if may_stay_silent(silent, now, next_turn_at, rules) else Ask.HEARTBEAT
