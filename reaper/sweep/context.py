"""What the parts of one sweep share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil

from reaper.core.evidence.breaker import BreakerLimits
from reaper.core.evidence.memory import Memory
from reaper.core.portion import Portion, WholeTable, share_of
from reaper.core.report.tally import Tally
from reaper.core.sweep_rules import SweepRules
from reaper.core.triage import Cutoffs

IN_ONE_SEGMENT = WholeTable(total_segments=1, started_at=0.0)


@lru_cache(64)
def _of_share(limits: BreakerLimits, share: float) -> BreakerLimits:
    """Remembered, since it is asked for with every decision."""
    return replace(limits, min_gone_rows=ceil(limits.min_gone_rows * share))


@dataclass(frozen=True, slots=True)
class SweepContext:
    rules: SweepRules
    tally: Tally
    clock: Callable[[], float]
    """Seconds that never go back."""
    wall_clock: Callable[[], float]
    """Epoch seconds, by this host."""
    is_stopping: Callable[[], bool] = lambda: False
    portion: Portion = IN_ONE_SEGMENT
    memory: Memory = field(default_factory=Memory)

    def share(self) -> float:
        """The part of the table that is being swept, and so of the budget that may be used."""
        return share_of(self.portion)

    def limits(self) -> BreakerLimits:
        """The breaker's. The floor in rows is the table's, so a portion has its part of it."""
        share = self.share()
        return self.rules.breaker if share == 1 else _of_share(self.rules.breaker, share)

    def cutoffs(self) -> Cutoffs:
        """How rows are told apart now, by the gateway's clock, which is the application's too."""
        by_host = self.wall_clock()
        now = self.memory.calibration.gateway_time(self.clock()) or by_host
        return Cutoffs.at(now, self.rules.next_turn_at + now - by_host, self.rules.triage)
