"""What the audit log tells of one connection, as a story for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reaper.core.audit import EVICT, KEPT, RESTORED

Entry = Mapping[str, Any]
"""A line as JSON holds it. Older lines, and damaged ones, may lack what later ones have."""

_REASONS = {
    "gone": "it answered 410 three times, while others were known to live",
    "expired": "it still answered 410, and no socket lives as long as it was known",
    "deaf": "its socket was open, but it answered none of its last heartbeats",
}
_ACTIONS = {
    "delete": "its row was deleted",
    "clear": "its id was cleared, and the row stayed",
    "hook": "its row was left to the on-evict hook",
}
_UNKNOWN = "a moment that the line does not tell"


def story(entries: Sequence[Entry]) -> Iterator[str]:
    """What the lines of one row tell, oldest first, and what can be done about it."""
    for entry in entries:
        yield from _chapter(entry)
    last = entries[-1]["audit"]
    if last == EVICT:
        yield "It can be put back: reaper restore AUDIT_FILE --id ID --dry-run"
    elif last == RESTORED:
        yield "It was put back, and has not been evicted since."
    else:
        yield "Its row stayed, so there is nothing to be put back."


def rows_of(entries: Sequence[Entry], connection_id: str) -> list[list[Entry]]:
    """The lines about a connection, by row, in the order in which they were written."""
    rows: dict[object, list[Entry]] = {}
    for entry in entries:
        if entry.get("connection_id") == connection_id:
            rows.setdefault((entry["table"], str(entry["key"])), []).append(entry)
    return list(rows.values())


def _chapter(entry: Entry) -> Iterator[str]:
    if entry["audit"] == KEPT:
        yield f"{entry['at']}  its row stayed after all: it had changed, or something failed"
    elif entry["audit"] == RESTORED:
        yield f"{entry['at']}  put back by `reaper restore`"
    else:
        yield from _eviction(entry)


def _eviction(entry: Entry) -> Iterator[str]:
    reason = entry["reason"]
    yield f"{entry['at']}  evicted as {reason}: {_REASONS.get(reason, 'see the line')}"
    yield f"    {_how_it_went(entry)}"
    yield f"    asked at {entry.get('endpoint')}"
    seen_at = entry.get("last_seen_at")
    yield f"    connected at {entry.get('connected_at') or _UNKNOWN}" + (
        f", last seen at {seen_at}" if seen_at else ""
    )
    evidence = entry.get("evidence")
    yield from (f"    {line}" for line in _evidence(evidence if isinstance(evidence, dict) else {}))


def _how_it_went(entry: Entry) -> str:
    if entry.get("member"):
        return "it was taken out of its row, which stayed"
    if entry.get("goes_along"):
        return "this row went along with the connection's own"
    return str(_ACTIONS.get(entry["action"], entry["action"]))


def _evidence(evidence: Entry) -> Iterator[str]:
    if "missed_pongs" in evidence:
        yield f"it answered none of {evidence['missed_pongs']} heartbeats"
        yield f"the last of them was sent at {evidence.get('last_heartbeat_at', _UNKNOWN)}"
        return
    yield f"it first answered 410 at {evidence.get('first_410_at', _UNKNOWN)}"
    witnesses = [None, *_list(evidence, "witnesses_at")]
    for number, at in enumerate(_list(evidence, "strikes_at"), start=1):
        witness = witnesses[number - 1] if number <= len(witnesses) else None
        seen = f", after another client, asked at {witness}, had answered 200" if witness else ""
        yield f"strike {number} at {at}{seen}"
    yield f"it last answered 410 to a probe sent at {evidence.get('last_410_at', _UNKNOWN)}"
    if "age_seconds" in evidence:
        age = evidence["age_seconds"]
        yield f"by its own time, which living rows bear out, it was {age} s old"
    if "others_alive" in evidence:
        alive, gone = evidence["others_alive"], evidence.get("others_gone", 0)
        yield f"of the rows that answered in that sweep {alive} lived and {gone} were gone"


def _list(evidence: Entry, name: str) -> list[Any]:
    found = evidence.get(name)
    return found if isinstance(found, list) else []
