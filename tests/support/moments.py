"""What a series of moments shows about a rate."""

from __future__ import annotations

from collections.abc import Sequence


def most_within(seconds: float, moments: Sequence[float]) -> int:
    """The most of these moments, which are in order, within any time of that length."""
    most = start = 0
    for end, moment in enumerate(moments):
        while moments[start] <= moment - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most
