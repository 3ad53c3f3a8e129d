"""Verdict: what an answer means, and how long a suspect waits for its second question."""

from __future__ import annotations

from collections.abc import Iterable

from reaper.core.model import Ask, Outcome, Row

CONNECT_MAY_TAKE_SECONDS = 30.0
"""A connection answers 410 until its ``$connect`` integration has returned, at most 29 s later."""

_MEANINGS = {
    200: Outcome.ALIVE,
    410: Outcome.GONE,
    403: Outcome.DENIED,
    429: Outcome.THROTTLED,
}
_CLOSED = (200, 204)


def outcome_of_status(status: int, ask: Ask) -> Outcome:
    """Classify by status code alone; the bodies of 410s do not always parse.

    A socket that was closed as ordered is gone.

    Whatever is not known to mean alive or gone is unknown, and unknown is never evidence of
    death.
    """
    if ask is Ask.CLOSE and status in _CLOSED:
        return Outcome.GONE
    return _MEANINGS.get(status, Outcome.UNKNOWN)


def confirm_delay_seconds(
    rows: Iterable[Row], now: float, configured: float, newborn_grace: float
) -> float:
    """How long after its first 410 a suspect is asked again.

    Where a row may be newborn, the second question comes only when its ``$connect`` must be
    over: so for rows without a usable timestamp, and for rows within their grace period (which
    are asked at all only where they would else miss a heartbeat). Where the id is not in the key,
    a user who comes back may have put a new id beside an old timestamp.
    """
    if any(row.connected_at is None or now - row.connected_at < newborn_grace for row in rows):
        return max(configured, CONNECT_MAY_TAKE_SECONDS)
    if not all(_is_keyed_by_connection(row) for row in rows):
        return delay_where_timestamps_may_mislead(configured, newborn_grace)
    return configured


def delay_where_timestamps_may_mislead(configured: float, newborn_grace: float) -> float:
    """How long a suspect waits whose row may be newborn although it does not look so.

    Enough for any ``$connect``, or for as long as the operator says that it may take.
    """
    return max(configured, min(newborn_grace, CONNECT_MAY_TAKE_SECONDS))


def _is_keyed_by_connection(row: Row) -> bool:
    return any(row.connection_id in str(value) for value in row.key.values())
