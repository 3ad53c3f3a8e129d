"""Some segments of a table, as a portion that does not change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Some:
    segments: tuple[int, ...]
    total_segments: int = 16
    started_at: float = 0.0
    is_all_here: bool = True
    is_lost: bool = False

    def close(self) -> None:
        """Nothing is ever added."""
