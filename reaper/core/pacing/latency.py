"""How long answers took, as a histogram in constant memory."""

from __future__ import annotations

from bisect import bisect_left
from math import inf

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, inf)
"""Upper bounds of the buckets. API Gateway answers in tens of milliseconds."""


class Latencies:
    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS_SECONDS)
        """Answers in each bucket, those of the lower ones not included."""
        self.total_seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    @property
    def mean_seconds(self) -> float:
        """0 where nothing was answered."""
        return self.total_seconds / max(1, sum(self.counts))

    def add(self, others: Latencies) -> None:
        self.counts = [a + b for a, b in zip(self.counts, others.counts, strict=True)]
        self.total_seconds += others.total_seconds
