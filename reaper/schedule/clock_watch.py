"""Time that did not pass as it should: a clock that was set, a machine or a process that slept."""

from __future__ import annotations

import time
from enum import Enum
from typing import NamedTuple

TOLERANCE_SECONDS = 2.0
"""Clocks that are disciplined by NTP drift by less between two looks."""

MAX_LATE_SECONDS = 10.0
"""A busy machine is late by less."""


class Clocks(NamedTuple):
    """Three clocks at one moment, in seconds."""

    wall: float
    steady: float
    """Never goes back, and stands still while the machine is suspended."""
    boot: float
    """Never goes back, and goes on meanwhile."""

    @classmethod
    def now(cls) -> Clocks:
        steady = time.monotonic()
        boot = (
            time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else steady
        )
        return cls(time.time(), steady, boot)


class Lapse(Enum):
    """What happened, for a person."""

    STEPPED = "the wall clock was set"
    SUSPENDED = "the machine was suspended"
    STOPPED = "the process was stopped"


class ClockWatch:
    """Compares the clocks from look to look."""

    def __init__(self, clocks: Clocks, look_seconds: float) -> None:
        self._last = clocks
        self._look_seconds = look_seconds

    def look(self, clocks: Clocks) -> tuple[Lapse, float] | None:
        """What has happened since the last look, if anything has, and by how many seconds.

        They are negative where the wall clock was set back.
        """
        before, self._last = self._last, clocks
        passed = clocks.steady - before.steady
        slept = clocks.boot - before.boot - passed
        stepped = clocks.wall - before.wall - passed - slept
        if slept > TOLERANCE_SECONDS:
            return Lapse.SUSPENDED, slept
        if abs(stepped) > TOLERANCE_SECONDS:
            return Lapse.STEPPED, stepped
        if passed > self._look_seconds + MAX_LATE_SECONDS:
            return Lapse.STOPPED, passed - self._look_seconds
        return None
