"""The lines of the audit log: how an eviction is written down, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from reaper.core.evidence.breaker import Harvest
from reaper.core.evidence.evidence_rule import Suspect
from reaper.core.model import Zombie
from reaper.core.moments import epoch_of, iso, iso_of
from reaper.core.rows.clearing import Clearing
from reaper.core.rows.items import (
    EACH_KEY,
    AttributePath,
    Item,
    attribute,
    identity,
    item_from_json,
    text_of,
)
from reaper.core.rows.members import collection_in, members_of, stored_id
from reaper.core.sweep_rules import EvictAction

EVICT, KEPT, RESTORED = "evict", "kept", "restored"
"""What a line says: the row is about to go; it stayed after all, in spite of its line; or `reaper
restore` has put it back."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """What is needed to put a row back."""

    says: str
    at: float
    """Epoch seconds."""
    connection_id: str
    reason: str
    table: str
    action: EvictAction
    key: Item
    item: Item
    cleared: AttributePath
    """Where the connection id was that was cleared; empty where the whole row went."""
    changed: tuple[AttributePath, ...] = ()
    """What else was removed or set on the row that stayed."""
    member: AttributePath = ()
    """The path to the ids where one of many members went; its row stayed, without it."""

    occurrence: int = 0
    """How many before it in its row had the same id."""

    @property
    def identity(self) -> Hashable:
        """What tells the connection from all others of the table."""
        if not self.member:
            return identity(self.key)
        row = identity(self.key), self.member
        if EACH_KEY in self.member:
            (own,) = members_of(self.item, self.member, {})
            return *row, own.position
        return *row, self.occurrence, json.dumps(attribute(self.item, self.member[:1]), default=str)

    @property
    def member_id(self) -> str:
        """The text that its row held of it."""
        return text_of(stored_id(self.item, self.member)) or ""


def audit_entry(
    says: str,
    zombie: Zombie,
    item: Item,
    *,
    at: float,
    table: str,
    key: Item,
    action: EvictAction,
    cleared: Clearing | None,
    goes_along: bool,
) -> dict[str, Any]:
    """A line as it is written. ``item`` is the whole row, or of a member what its row has of it.

    ``at`` is in epoch seconds; written down, moments are ISO 8601.
    """
    row = zombie.row
    return {
        "audit": says,
        "action": action.value,
        "at": iso(at),
        "table": table,
        "reason": zombie.reason.value,
        "evidence": zombie.evidence,
        "connection_id": row.connection_id,
        "endpoint": str(row.endpoint),
        "connected_at": iso(row.connected_at),
        "last_seen_at": iso(row.last_seen_at),
        "goes_along": goes_along,
        "cleared": list(cleared.connection_id) if cleared else [],
        "changed": [list(path) for path in cleared.paths[1:]] if cleared else [],
        "member": list(row.shape.connection_id) if row.is_member else [],
        "occurrence": row.occurrence,
        "key": key,
        "item": item,
    }


def restored_entry(evicted: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The line that says that what a line tells of was put back, in epoch seconds ``now``."""
    return {**evicted, "audit": RESTORED, "at": iso_of(now)}


def evidence_against(
    suspect: Suspect,
    harvest: Harvest,
    *,
    born_at: float | None,
    now: float,
    epoch_now: float,
) -> dict[str, Any]:
    """What a suspect is convicted on; by age, where ``born_at`` is given.

    Moments are of the clock that never goes back, on which it is ``now``; written down they are
    ISO 8601.
    """
    to_epoch = epoch_now - now
    evidence: dict[str, Any] = {
        "first_410_at": iso(suspect.first_410_at + to_epoch),
        "last_410_at": iso(suspect.last_410_at + to_epoch),
        "strikes_at": [iso(at + to_epoch) for at in suspect.strikes],
        "witnesses_at": [iso(at + to_epoch) for at in suspect.witnesses if at > -inf],
        "others_alive": harvest.answered - harvest.dead,
        "others_gone": harvest.dead,
    }
    if born_at is not None:
        evidence["age_seconds"] = round(now - born_at)
    return evidence


def _epoch(at: str | float) -> float:
    """Lines of before there was ISO 8601 in them have numbers."""
    return epoch_of(at) if isinstance(at, str) else float(at)


def parse_line(text: str) -> AuditLine | None:
    """Read a line back. None for JSON that is no line of ours, such as metrics on the same stream.

    Raises ValueError for what is no JSON, as a line is that was torn when the disk was full, and
    for a line of ours that lacks what it must have.
    """
    try:
        held = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(held, dict) or held.get("audit") not in (EVICT, KEPT, RESTORED):
        return None
    try:
        line = AuditLine(
            says=held["audit"],
            at=_epoch(held["at"]),
            connection_id=held["connection_id"],
            reason=held["reason"],
            table=held["table"],
            action=EvictAction(held["action"]),
            key=item_from_json(held["key"]),
            item=item_from_json(held["item"]),
            cleared=tuple(held["cleared"]),
            changed=tuple(tuple(path) for path in held.get("changed", ())),
            member=tuple(held.get("member", ())),
            occurrence=int(held.get("occurrence", 0)),
        )
        texts = line.connection_id, line.reason, line.table
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text is none")
        if not line.key or any(line.item[name] != value for name, value in line.key.items()):
            raise ValueError("has a key that its row does not have")
        is_clear = line.action is EvictAction.CLEAR and not line.member
        if is_clear and not (line.cleared and attribute(line.item, line.cleared)):
            raise ValueError("does not hold the id that was cleared")
        if line.member and not (collection_in(line.member) and line.member_id):
            raise ValueError("does not hold the member that was removed")
        hash(line.identity)
        return line
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"is no whole line of an eviction: {error!r}") from None
