"""What became of zombies: counted, and logged in a line that an operator reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import structlog

from reaper.core.model import Reason, Zombie
from reaper.core.report.tally import Tally
from reaper.sweep.eviction.removal import Eviction

log = structlog.get_logger()


MANY_GONE = 5
"""Rows that somebody else removed: fewer may be the application's own, or its TTL's."""


class EvictionResults:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._gone_before = 0
        self.fault: Exception | None = None
        """What first made evictions fail, if anything did; what came later may follow from it."""

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
        """In a dry run: a line for each batch and reason, since no audit line says it."""
        by_reason: defaultdict[Reason, list[Zombie]] = defaultdict(list)
        for eviction in evictions:
            by_reason[eviction.whose.reason] += eviction.zombies
        for reason, zombies in by_reason.items():
            self._tally.count_evicted(zombies)
            along = [len(one.along) for one in evictions if one.whose.reason is reason]
            log.info(
                "would evict",
                rows=len(zombies),
                reason=reason.value,
                rows_along=sum(along),
                such_as=_some_ids(zombies),
            )

    def kept(self, zombies: Sequence[Zombie]) -> None:
        self._tally.keep(len(zombies))
        if zombies:
            why = "they changed since they were read, or are gone"
            log.info("rows kept", rows=len(zombies), why=why, such_as=_some_ids(zombies))

    def already_gone(self, rows: int) -> None:
        """Somebody else removed them while they were questioned."""
        self._gone_before += rows

    def conclude(self) -> None:
        """The sweep is over."""
        if self._gone_before >= MANY_GONE:
            log.warning(
                "rows already gone",
                rows=self._gone_before,
                why=f"{self._gone_before} rows were already gone when they were to be evicted",
                cure="does another reaper, or a clean-up job, sweep this table? Let one of them do"
                " it, or share the sweeps (REAPER_QUEUE_URL)",
            )

    def held(self, rows: int) -> None:
        self._tally.hold(rows)

    def not_tried(self, rows: int) -> None:
        """Others of the same sweep have failed, and these with them."""
        self._tally.fail(rows)

    def failed(self, zombies: Sequence[Zombie], error: Exception) -> None:
        self._tally.fail(len(zombies))
        self.fault = self.fault or error
        log.error("evictions failed", rows=len(zombies), why=str(error), such_as=_some_ids(zombies))


def _some_ids(zombies: Sequence[Zombie]) -> list[str]:
    return [zombie.row.connection_id for zombie in zombies[:3]]
