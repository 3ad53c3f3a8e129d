"""What became of zombies: counted, and logged in a line that an operator reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from reaper.core.model import Zombie
from reaper.core.report.tally import Tally
from reaper.sweep.eviction.removal import Eviction

log = structlog.get_logger()


class EvictionResults:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.fault: Exception | None = None
        """What made evictions fail, if anything did."""

    def evicted(self, zombies: Sequence[Zombie], rows_along: int = 0) -> None:
        """The audit log has a line for each; this is one for all of them."""
        if zombies:
            self._tally.count_evicted(zombies)
            log.info(
                "evicted",
                rows=len(zombies),
                reason=zombies[0].reason.value,
                rows_along=rows_along,
                such_as=_some_ids(zombies),
            )

    def would_evict(self, evictions: Sequence[Eviction]) -> None:
        """In a dry run, where no audit line says it, each has a line here."""
        for eviction in evictions:
            self._tally.count_evicted(eviction.zombies)
            for zombie in eviction.zombies:
                log.info("would evict", **_said_of(zombie), rows_along=len(eviction.along))

    def kept(self, zombies: Sequence[Zombie]) -> None:
        self._tally.keep(len(zombies))
        for zombie in zombies:
            log.info("row kept", why="it changed since it was read", **_said_of(zombie))

    def held(self, rows: int) -> None:
        self._tally.hold(rows)

    def not_tried(self, rows: int) -> None:
        """Others of the same sweep have failed, and these with them."""
        self._tally.fail(rows)

    def failed(self, zombies: Sequence[Zombie], error: Exception) -> None:
        self._tally.fail(len(zombies))
        self.fault = error
        log.error("evictions failed", rows=len(zombies), why=str(error), such_as=_some_ids(zombies))


def _said_of(zombie: Zombie) -> dict[str, Any]:
    return {"connection_id": zombie.row.connection_id, "reason": zombie.reason.value}


def _some_ids(zombies: Sequence[Zombie]) -> list[str]:
    return [zombie.row.connection_id for zombie in zombies[:3]]
