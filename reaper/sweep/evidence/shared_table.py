"""Whether another API writes into the same table, by CloudWatch's count of connects."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from reaper.core.evidence.births import Births
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row
from reaper.sweep.context import SweepContext
from reaper.sweep.ports import ConnectCounter

log = structlog.get_logger()

MAX_WAIT_SECONDS = 20.0
"""So long evictions wait for CloudWatch; then they go on without it."""


class SharedTable:
    """Asks once in a sweep for each endpoint that rows are to be evicted of."""

    def __init__(self, context: SweepContext, connects: ConnectCounter | None) -> None:
        """``connects`` is None where nobody counts them."""
        self._memory = context.memory
        self._clock = context.clock
        self._births = Births(context.wall_clock())
        self._connects = connects
        self._asked: dict[Endpoint, tuple[float, Future[int | None]]] = {}
        self._settled: set[Endpoint] = set()

    def note(self, rows: Iterable[Row]) -> None:
        if self._connects is not None:
            self._births.note(rows)

    def settle(self, endpoint: Endpoint) -> bool:
        """Ask, if nobody has; whether it is known by now, or will not be. Nothing here waits."""
        is_measured = self._memory.calibration.is_calibrated and self._births.of(endpoint)
        if self._connects is None or not is_measured or endpoint in self._settled:
            return True
        if endpoint not in self._asked:
            pool = ThreadPoolExecutor(1, thread_name_prefix="connects")
            counting = pool.submit(self._connects.connects, endpoint, self._births.window)
            self._asked[endpoint] = self._clock(), counting
            pool.shutdown(wait=False)
        asked_at, counting = self._asked[endpoint]
        if counting.done():
            self._learn(endpoint, counting.result())
        elif self._clock() - asked_at < MAX_WAIT_SECONDS:
            return False
        self._settled.add(endpoint)
        return True

    def _learn(self, endpoint: Endpoint, connects: int | None) -> None:
        born = self._births.of(endpoint)
        is_shared = connects is not None and connects < born
        self._memory.endpoints[endpoint].found_shared(is_shared=is_shared)
        if is_shared:
            log.warning(
                "table seems shared",
                why="more rows were born in it than clients connected to this API",
                endpoint=str(endpoint),
                rows=born,
                connects=connects,
            )
