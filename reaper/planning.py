"""The plan of each sweep: at a tick every worker puts the same on the queue, and none leads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from reaper.aws.queue import QueueError, QueueFacts, WorkQueue
from reaper.core.segments import may_be_planned, plan_of, sweep_at
from reaper.rounds import RETRY_SECONDS

log = structlog.get_logger()

EPOCH = datetime.fromtimestamp(0, UTC)

Tell = Callable[[Exception, str], None]
"""Tells of a fault, and of what could not be done for it."""


class Planner:
    """Plans at each tick, and looks at what nobody could sweep."""

    def __init__(
        self,
        queue: WorkQueue,
        facts: Callable[[], QueueFacts],
        table: str,
        segments: int,
        interval_seconds: float,
        tell: Tell,
        wall_clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._facts = facts
        self._table = table
        self._segments = segments
        self._interval_seconds = interval_seconds
        self._tell = tell
        self._wall_clock = wall_clock
        self._planned: int | None = None
        """The last sweep that is on the queue for sure."""
        self.is_able = True
        """Whether the last attempt succeeded."""
        self._dead_letters: int | None = None
        self._planning = threading.Lock()
        self._is_stopping = False
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        self._scheduler.add_job(
            self.plan,
            "interval",
            seconds=self._interval_seconds,
            start_date=EPOCH,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Plan no more. Whether a plan that was under way came to its end within that time."""
        self._is_stopping = True
        self._scheduler.shutdown(wait=False)
        return self._planning.acquire(timeout=timeout_seconds)

    def has_planned_sweep_at(self, now: float) -> bool:
        """Whether the sweep of this epoch second is on the queue for sure."""
        return self._planned == sweep_at(now, self._interval_seconds)

    def plan(self) -> None:
        """Put the sweep that goes on by now on the queue. Others do the same; SQS keeps one."""
        with self._planning:
            now = self._wall_clock()
            if self._is_stopping or self.has_planned_sweep_at(now):
                return
            sweep = sweep_at(now, self._interval_seconds)
            if may_be_planned(sweep, now, self._interval_seconds):
                self._put(sweep)
            else:
                log.info("the next sweep is the first that is planned here: this one is too old")
            if self.is_able:
                self._look_for_dead_letters()

    def _put(self, sweep: int) -> None:
        try:
            self._queue.put(plan_of(self._table, sweep, self._interval_seconds, self._segments))
        except QueueError as error:
            self.is_able = False
            self._tell(error, "the sweep is not planned")
            retry_at = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
            self._scheduler.add_job(self.plan, "date", run_date=retry_at)
        else:
            self._planned, self.is_able = sweep, True

    def _look_for_dead_letters(self) -> None:
        """Say so when there are more of them than when last looked at."""
        before = self._dead_letters
        try:
            url = self._facts().dead_letter_queue
            if url is None:
                return
            self._dead_letters = found = self._queue.count_dead_letters(url)
        except QueueError as error:
            self._tell(error, "segments that were given up cannot be counted")
            return
        why = (
            f"{found} segments were given up and are in {url}: whoever took them died or failed;"
            " log lines 'sweep failed' say why. Purge it when that is mended"
        )
        if before is not None and found > before:
            self._tell(QueueError(why), "segments were given up")
        elif before is None and found:
            log.warning("segments were given up some time ago", why=why)
