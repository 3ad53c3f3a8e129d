"""What the last sweeps found, in bounded memory, for whoever looks or is alerted."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from reaper.core.report.ratio import ratio_over
from reaper.core.report.report import Details, Report

MAX_SWEEPS = 300
"""A day of sweeps every five minutes."""

HOUR_SECONDS = 3600.0


class PastSweep(NamedTuple):
    ended_at: float
    """Epoch seconds."""
    report: Report
    details: Details


class Fault(NamedTuple):
    at: float
    """Epoch seconds."""
    why: str


class History:
    """Written by the sweep's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sweeps: deque[PastSweep] = deque(maxlen=MAX_SWEEPS)
        self._fault: Fault | None = None

    def add(self, sweep: PastSweep) -> None:
        with self._lock:
            self._sweeps.append(sweep)
            self._fault = None

    def note_fault(self, fault: Fault) -> None:
        with self._lock:
            self._fault = fault

    @property
    def sweeps(self) -> list[PastSweep]:
        """Oldest first."""
        with self._lock:
            return list(self._sweeps)

    @property
    def fault(self) -> Fault | None:
        """What went wrong last, if nothing has gone well since."""
        with self._lock:
            return self._fault

    def last_hour(self, now: float) -> list[PastSweep]:
        return [past for past in self.sweeps if past.ended_at > now - HOUR_SECONDS]

    def ratio_of_last_hour(self, now: float) -> float | None:
        return ratio_over(past.report for past in self.last_hour(now))
