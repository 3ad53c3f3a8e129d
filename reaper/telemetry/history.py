"""What became of the last sweeps, in bounded memory, for whoever looks or is alerted."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from reaper.core.report.ratio import ratio_over
from reaper.core.report.swept import Swept

MAX_SWEEPS = 300
"""A day of sweeps every five minutes."""

HOUR_SECONDS = 3600.0


class PastSweep(NamedTuple):
    ended_at: float
    """Epoch seconds."""
    swept: Swept


class History:
    """Written by the sweep's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sweeps: deque[PastSweep] = deque(maxlen=MAX_SWEEPS)

    def add(self, sweep: PastSweep) -> None:
        with self._lock:
            self._sweeps.append(sweep)

    @property
    def sweeps(self) -> list[PastSweep]:
        """Oldest first."""
        with self._lock:
            return list(self._sweeps)

    def last_hour(self, now: float) -> list[PastSweep]:
        return [past for past in self.sweeps if past.ended_at > now - HOUR_SECONDS]

    def ratio_of_last_hour(self, now: float) -> float | None:
        reports = (past.swept.report for past in self.last_hour(now))
        return ratio_over(report for report in reports if report is not None)
