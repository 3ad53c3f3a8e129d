"""The one state of the daemon, and what it follows from: nothing else says how it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reaper.core.moments import duration_of, iso_of
from reaper.core.report.troubles import Trouble

FAILURES_TO_FAIL = 3
"""So many sweeps in a row, where some have succeeded before: one may be a hiccup of the network."""

INTERVALS_WITHOUT_A_SWEEP = 3

STUCK_AFTER_SECONDS = 60.0
"""A running sweep that has not moved for so long is stuck: its loop turns ten times a second."""


class State(StrEnum):
    STARTING = "starting"
    """No sweep has ended yet."""
    OK = "ok"
    DEGRADED = "degraded"
    """It works, but not all of it."""
    FAILING = "failing"
    """No sweep succeeds."""


class Condition(NamedTuple):
    state: State
    since: float
    """Epoch seconds."""
    why: str
    next: str
    """What to do."""

    def to_dict(self) -> dict[str, str]:
        """As /healthz and /status.json tell it."""
        return {**self._asdict(), "state": self.state.value, "since": iso_of(self.since)}


class Judgement(NamedTuple):
    state: State
    why: str
    next: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of the sweeps so far. Times are of one clock that never goes back."""

    interval_seconds: float
    started_at: float
    succeeded_at: float | None = None
    """When a sweep last succeeded, or there was nothing to be swept."""
    failures: int = 0
    """Sweeps since then that failed."""
    troubles: Sequence[Trouble] = ()
    """What was wrong with the last sweep, and since, the worst first."""
    moved_at: float | None = None
    """When the running sweep last moved; None between sweeps."""

    def is_stuck(self, now: float) -> bool:
        """Whether a sweep hangs, which only a restart can end."""
        return self.moved_at is not None and now - self.moved_at > STUCK_AFTER_SECONDS

    def judge(self, now: float) -> Judgement:
        if self.is_stuck(now):
            assert self.moved_at is not None
            return Judgement(
                State.FAILING,
                f"the running sweep has not moved for {now - self.moved_at:.0f} s",
                "restart the reaper, unless systemd or ECS does: nothing is lost by it",
            )
        if self.failures and (self.succeeded_at is None or self.failures >= FAILURES_TO_FAIL):
            return self._troubled(State.FAILING)
        silent_seconds = now - (self.started_at if self.succeeded_at is None else self.succeeded_at)
        if silent_seconds > INTERVALS_WITHOUT_A_SWEEP * self.interval_seconds:
            return self._silent(silent_seconds)
        if self.failures and self.troubles:
            state, why, cure = self._troubled(State.DEGRADED)
            return Judgement(state, f"{_last_sweeps(self.failures)} failed: {why}", cure)
        if self.troubles:
            return self._troubled(State.DEGRADED)
        if self.succeeded_at is None:
            return Judgement(State.STARTING, "the first sweep is not over yet", "wait for its end")
        return Judgement(State.OK, "the last sweep did all it should", "nothing")

    def _troubled(self, state: State) -> Judgement:
        worst, *others = self.troubles
        more = f" (and {len(others)} more: {', '.join(one.kind for one in others)})"
        return Judgement(state, worst.why + (more if others else ""), worst.cure)

    def _silent(self, seconds: float) -> Judgement:
        """A sweep that takes so long, but moves; or that nobody begins."""
        is_moving = self.moved_at is not None
        state = State.DEGRADED if is_moving else State.FAILING
        if self.troubles:
            return self._troubled(state)
        why = (
            f"no sweep has succeeded for {duration_of(seconds)}, more than"
            f" {INTERVALS_WITHOUT_A_SWEEP} times REAPER_SWEEP_INTERVAL_SECONDS"
        )
        if is_moving:
            cure = "wait: a sweep is running and moves; if that is usual, raise the interval"
            return Judgement(state, why, cure)
        return Judgement(
            state,
            f"{why}, and none is running",
            "read the log's last lines, and restart the reaper: nothing is lost by it",
        )


def _last_sweeps(count: int) -> str:
    return "the last sweep" if count == 1 else f"the last {count} sweeps"
