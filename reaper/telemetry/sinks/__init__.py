"""Where the metrics of a sweep go, any combination of: emf, cloudwatch, prometheus."""

from __future__ import annotations

from typing import Protocol

from reaper.core.report.report import SweepResult


class Sink(Protocol):
    """Takes what came of a sweep. A sink deals with its own faults, and holds up nobody."""

    def publish(self, result: SweepResult) -> None: ...
    def close(self, timeout_seconds: float) -> None:
        """Send what is still to be sent, if there is time."""
