"""What the parts of one sweep share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reaper.core.report import Tally
from reaper.core.rules import SweepRules


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
