"""Enqueues each sweep: at a tick every worker puts the same segments on the queue; none leads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from reaper.aws.sqs import QueueError, QueueFacts, WorkQueue
from reaper.core.errors import Fault
from reaper.core.segments import may_be_enqueued, segments_of_sweep, sweep_at
from reaper.schedule.ports import RETRY_SECONDS

log = structlog.get_logger()

EPOCH = datetime.fromtimestamp(0, UTC)

Tell = Callable[[Fault, str], None]
"""Tells of a fault, and of what could not be done for it."""


class SweepSkipped(Fault):
    """A sweep could not be put on the queue while there was time for it."""

    def __init__(self, queue_url: str) -> None:
        super().__init__(
            f"a sweep was skipped, since {queue_url} was out of reach for too long; the next one"
            " begins at its time",
            "see what kept the queue out of reach; heartbeats are late by an interval",
        )


class Enqueuer:
    """Enqueues a sweep at each tick, and looks at what nobody could sweep."""

    def __init__(
        self,
        queue: WorkQueue,
        facts: Callable[[], QueueFacts],
        table: str,
        settings: Mapping[str, str],
        total_segments: int,
        interval_seconds: float,
        tell: Tell,
        wall_clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._facts = facts
        self._table = table
        self._settings = settings
        self._total_segments = total_segments
        self._interval_seconds = interval_seconds
        self._tell = tell
        self._wall_clock = wall_clock
        self._enqueued: int | None = None
        """The last sweep that is on the queue for sure."""
        self._tried: int | None = None
        """The last one that could not be put there."""
        self.can_enqueue = True
        """Whether the last attempt succeeded."""
        self._dead_letters: int | None = None
        self._enqueueing = threading.Lock()
        self._is_stopping = False
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        self._scheduler.add_job(
            self.enqueue,
            "interval",
            seconds=self._interval_seconds,
            start_date=EPOCH,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Enqueue no more. Whether what was under way came to its end within that time."""
        self._is_stopping = True
        self._scheduler.shutdown(wait=False)
        return self._enqueueing.acquire(timeout=timeout_seconds)

    def has_enqueued_sweep_at(self, now: float) -> bool:
        """Whether the sweep of this epoch second is on the queue for sure."""
        return self._enqueued == sweep_at(now, self._interval_seconds)

    def enqueue(self) -> None:
        """Put the sweep that goes on by now on the queue. Others do the same; SQS keeps one."""
        with self._enqueueing:
            now = self._wall_clock()
            if self._is_stopping or self.has_enqueued_sweep_at(now):
                return
            sweep = sweep_at(now, self._interval_seconds)
            was_tried = sweep == self._tried
            if may_be_enqueued(sweep, now, self._interval_seconds, was_tried=was_tried):
                self._put(sweep)
            elif was_tried:
                self._tell(SweepSkipped(self._queue.url), "sweep skipped")
            else:
                log.info("sweep skipped", why="too old to be enqueued; the next one is the first")
            if self.can_enqueue:
                self._look_for_dead_letters()

    def _put(self, sweep: int) -> None:
        try:
            self._queue.put(
                segments_of_sweep(
                    self._table,
                    sweep,
                    self._interval_seconds,
                    self._total_segments,
                    self._settings,
                )
            )
        except QueueError as error:
            self.can_enqueue, self._tried = False, sweep
            self._tell(error, "sweep not enqueued")
            retry_at = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
            self._scheduler.add_job(
                self.enqueue, "date", run_date=retry_at, id="retry", replace_existing=True
            )
        else:
            self._enqueued, self.can_enqueue = sweep, True

    def _look_for_dead_letters(self) -> None:
        """Say so when there are more of them than when last looked at."""
        before = self._dead_letters
        try:
            url = self._facts().dead_letter_queue
            if url is None:
                return
            self._dead_letters = found = self._queue.count_dead_letters(url)
        except QueueError as error:
            self._tell(error, "dead letters not counted")
            return
        fault = QueueError(
            f"{found} segments were given up and are in {url}, since whoever took them died or"
            " failed",
            "see why by the log lines 'sweep failed', and purge that queue when it is mended",
        )
        if before is not None and found > before:
            self._tell(fault, "segments given up")
        elif before is None and found:
            log.warning("segments given up some time ago", why=fault.why, cure=fault.cure)
