"""What the operator decided, as far as one sweep needs it."""

from __future__ import annotations

from dataclasses import dataclass

from reaper.core.triage import TriageRules


@dataclass(frozen=True, slots=True)
class SweepRules:
    triage: TriageRules
    confirm_delay_seconds: float
    """Between a first 410 and the second question."""
    next_turn_at: float
    """Epoch seconds by which every row will have had its next turn."""
    budget_rps: float
    spread_seconds: float
    """How long the paced part lasts. After that, what is left goes at the budget."""
    dry_run: bool
