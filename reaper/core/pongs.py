"""Pongs: when a client that holds its socket open, but answers no heartbeat, is deaf.

A count lives on the row and is never reset: it names the moment of the last missed heartbeat and
what the row looked like then, and is void as soon as either does not fit any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b

from reaper.core.rows.row import MissedPongs, Row


@dataclass(frozen=True, slots=True)
class PongRules:
    timeout_seconds: float
    """How long after a heartbeat its client must have been heard of. 0 switches pongs off."""
    max_missed: int
    forget_after_seconds: float
    """A reaper that was away for longer than this starts to count anew."""

    @property
    def expects_pongs(self) -> bool:
        return self.timeout_seconds > 0


class BloomFilter:
    """Connections that were heard of in one sweep, in constant memory.

    It may take one for heard of that was not, about one in a thousand for every thousand that
    were; never the other way round. Another sweep makes other mistakes.
    """

    _BITS = 1 << 20

    def __init__(self, sweep: float) -> None:
        self._sweep = sweep
        self._bits = bytearray(self._BITS // 8)

    def add(self, connection_id: str) -> None:
        byte, bit = self._place(connection_id)
        self._bits[byte] |= bit

    def __contains__(self, connection_id: str) -> bool:
        byte, bit = self._place(connection_id)
        return bool(self._bits[byte] & bit)

    def _place(self, connection_id: str) -> tuple[int, int]:
        digest = blake2b(f"{self._sweep} {connection_id}".encode(), digest_size=4).digest()
        place = int.from_bytes(digest) % self._BITS
        return place >> 3, 1 << (place & 7)


def missed_again(row: Row, now: float, rules: PongRules) -> MissedPongs:
    """The count of a row that shows no sign of life after one more heartbeat, sent ``now``."""
    unchanged, before = fingerprint(row), row.missed_pongs
    goes_on = (
        before is not None
        and before.unchanged == unchanged
        and 0 <= now - before.at <= rules.forget_after_seconds
    )
    return MissedPongs(1 + (before.missed if before and goes_on else 0), now, unchanged)


def fingerprint(row: Row) -> str:
    """Changes with every sign of life that a row can show, and with the connection on it.

    Signs of life are told by change and not by time, because the clock that writes them is not
    the clock that sends heartbeats.
    """
    return blake2b(
        json.dumps(row.watched, sort_keys=True, default=repr).encode(), digest_size=8
    ).hexdigest()
