"""Where the metrics of a sweep go, any combination of: emf, cloudwatch, prometheus."""

from __future__ import annotations

from typing import Protocol

from reaper.core.report.swept import Swept


class Sink(Protocol):
    """Takes what came of a sweep, also of one that failed.

    A sink deals with its own faults, and holds up nobody.
    """

    def publish(self, swept: Swept) -> None: ...
    def close(self, timeout_seconds: float) -> None:
        """Send what is still to be sent, if there is time."""
