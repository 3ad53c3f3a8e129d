"""What the parts of one sweep share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reaper.core.portion import Portion, WholeTable, share_of
from reaper.core.report import Tally
from reaper.core.rules import SweepRules

IN_ONE_SEGMENT = WholeTable(of=1, started_at=0.0)


@dataclass(frozen=True, slots=True)
class SweepContext:
    rules: SweepRules
    tally: Tally
    clock: Callable[[], float]
    """Seconds that never go back."""
    wall_clock: Callable[[], float]
    """Epoch seconds."""
    is_stopping: Callable[[], bool] = lambda: False
    on_progress: Callable[[], None] = lambda: None
    """Called often, as a sign of life."""
    portion: Portion = IN_ONE_SEGMENT

    def share(self) -> float:
        """The part of the table that is being swept, and so of the budget that may be used."""
        return share_of(self.portion)
