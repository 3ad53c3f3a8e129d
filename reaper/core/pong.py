"""Pongs: when a client that holds its socket open, but answers no heartbeat, is deaf.

A count lives on the row and is never reset: it names the moment of the last missed heartbeat and
what the row looked like then, and is void as soon as either does not fit any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b

from reaper.core.model import MissedPongs, Row


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
