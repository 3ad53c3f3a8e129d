"""What the operator decided, as far as one sweep needs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from reaper.core.evidence.breaker import BreakerLimits
from reaper.core.pongs import PongRules
from reaper.core.rows.clearing import Clearing
from reaper.core.triage import TriageRules


class EvictAction(Enum):
    DELETE = "delete"
    CLEAR = "clear"
    """Only the id goes; the row is somebody's who may come back."""
    HOOK = "hook"
    """The application's own code does what is to be done."""


class EvictScope(Enum):
    ROW = "row"
    PARTITION = "partition"
    """Every row under the partition key of the connection."""


@dataclass(frozen=True, slots=True)
class SweepRules:
    triage: TriageRules
    breaker: BreakerLimits
    pong: PongRules
    evict_action: EvictAction
    evict_scope: EvictScope
    clearing: Clearing
    """What is changed on a row that stays."""
    confirm_delay_seconds: float
    """Between a strike and the next look."""
    question_seconds: float
    """How long after its beginning a sweep still waits to look at a suspect again."""
    next_turn_at: float
    """Epoch seconds by which every row will have had its next turn."""
    budget_rps: float
    first_rate_rps: float
    """The pace of the spread part."""
    spread_seconds: float
    """How long that part lasts. After it, what is left goes at the budget."""
    max_in_flight: int | None
    """Requests under way at once to each endpoint; None for what rate and latency need."""
    dry_run: bool
