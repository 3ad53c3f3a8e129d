"""How the daemon is: one state, which everybody who tells of it reads here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from reaper.core.report.condition import Condition, Record, State
from reaper.core.report.report import Progress
from reaper.core.report.troubles import Kind, Trouble


class Health:
    """Told of sweeps by whoever runs them; read by any thread."""

    def __init__(
        self,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._record = Record(interval_seconds, clock())
        self._since = wall_clock()
        self._state = self._record.judge(clock()).state
        self.progress: Progress | None = None
        """How far the running sweep has come; None between sweeps, and at its very start."""

    # What happens

    def sweep_moves(self, progress: Progress | None = None) -> None:
        """A sweep has begun, or come so far."""
        self.progress = progress
        self._note(replace(self._record, moved_at=self._clock()))

    def sweep_over(
        self, troubles: Sequence[Trouble], *, succeeded: bool | None, took_seconds: float = 0.0
    ) -> None:
        """It ended with these troubles; None is that it neither succeeded nor failed.

        That sweeps are late lasts until one fits its interval.
        """
        self.progress = None
        record = replace(self._record, moved_at=None)
        if took_seconds > self.interval_seconds:
            late = [one for one in record.troubles if one.kind is Kind.SWEEP_OVERRUN]
            troubles = [*troubles, *late]
        if succeeded:
            record = replace(record, succeeded_at=self._clock(), failures=0)
        elif succeeded is False:
            record = replace(record, failures=record.failures + 1)
        if succeeded is not None or troubles:
            record = replace(record, troubles=tuple(troubles))
        self._note(record)

    def troubled(self, trouble: Trouble) -> None:
        """Something is wrong between sweeps, or while one is running."""
        others = [one for one in self._record.troubles if one.kind is not trouble.kind]
        self._note(replace(self._record, troubles=(trouble, *others)))

    def nothing_to_do(self) -> None:
        """All is well, and there is no part of the table that nobody else sweeps."""
        record = replace(self._record, succeeded_at=self._clock(), failures=0, troubles=())
        self._note(record)

    # How it is

    @property
    def is_stuck(self) -> bool:
        """Whether a sweep hangs, which only a restart can end."""
        return self._record.is_stuck(self._clock())

    @property
    def state(self) -> State:
        return self.condition.state

    @property
    def succeeded_at(self) -> float | None:
        """When a sweep last succeeded, in epoch seconds."""
        succeeded_at = self._record.succeeded_at
        return None if succeeded_at is None else self._wall_clock() - self._clock() + succeeded_at

    @property
    def condition(self) -> Condition:
        with self._lock:
            return self._look()

    def _note(self, record: Record) -> None:
        with self._lock:
            self._record = record
            self._look()

    def _look(self) -> Condition:
        """A state begins when it is first seen; nobody sees it sooner."""
        judgement = self._record.judge(self._clock())
        if judgement.state is not self._state:
            self._state, self._since = judgement.state, self._wall_clock()
        return Condition(judgement.state, self._since, judgement.why, judgement.next)
