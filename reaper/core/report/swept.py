"""How a sweep ended, whatever became of it: also one that failed, or was stopped, is told of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reaper.core.errors import Refused
from reaper.core.report.report import Report, SweepResult


class Outcome(StrEnum):
    """How a sweep ended."""

    DONE = "done"
    """Every row got its turn, whatever came of it."""
    CUT_SHORT = "cut-short"
    """No answer told anything."""
    FAILED = "failed"
    """It broke off."""
    STOPPED = "stopped"
    """A signal came."""
    LOST = "lost"
    """Its portion may be another worker's by now."""

    @property
    def is_end(self) -> bool:
        """Whether it reached its end."""
        return self in (Outcome.DONE, Outcome.CUT_SHORT)


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that is over."""

    outcome: Outcome
    seconds: float
    result: SweepResult | None = None
    """None where it broke off."""
    fault: Exception | None = None
    """What made it break off, or else evictions, heartbeats or pongs fail."""

    @property
    def report(self) -> Report | None:
        return self.result.report if self.result is not None else None

    @property
    def is_failure(self) -> bool:
        """Whether it did nothing of what a sweep is for. One that was stopped did not fail."""
        if self.outcome in (Outcome.FAILED, Outcome.CUT_SHORT):
            return True
        if self.outcome is not Outcome.DONE or self.result is None:
            return False
        report, why_held = self.result.report, self.result.details.why_held
        refusal = why_held.refusal if why_held is not None else None
        if refusal is not None and refusal.refused is Refused.CREDENTIALS:
            return True  # whoever answered did so before AWS no longer knew us
        is_nobody_answered = report.unknown > 0 and not (report.alive or report.gone)
        return self.result.not_understood is not None or is_nobody_answered
