"""Rounds of many workers: each plans every sweep on the queue, and sweeps what it takes from there.

tick ── plan ─▶ queue ── segments ─▶ lease ─▶ sweep ── done ─▶ queue
                  ▲                                     not done │
                  └──────────────────────────────────────────────┘
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from reaper.aws.queue import LONGEST_WAIT_SECONDS, Message, QueueError, QueueFacts, WorkQueue
from reaper.core.segments import NoSegment, Segment, may_be_planned, plan_of, sweep_at
from reaper.faults import publish_fault
from reaper.lease import Lease, Taken, sleepless_clock
from reaper.rounds import RETRY_SECONDS, Sweeping, tell_of_overrun
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.publish import Publisher

log = structlog.get_logger()

EPOCH = datetime.fromtimestamp(0, UTC)


class SegmentGivenUp(Exception):
    """A segment was taken as often as the queue allows, and never swept to its end."""


class NotOurs(Exception):
    """There is something on the queue that this worker cannot sweep."""


class Together:
    """Sweeps segments whenever there are some to be taken."""

    def __init__(
        self,
        queue: WorkQueue,
        table: str,
        segments: int,
        interval_seconds: float,
        publisher: Publisher,
        alerts: Alerts,
        health: Health,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._table = table
        self._segments = segments
        self._interval_seconds = interval_seconds
        self._publisher = publisher
        self._alerts = alerts
        self._health = health
        self._wall_clock = wall_clock
        self._facts: QueueFacts | None = None
        self._planned: int | None = None
        """The last sweep that this worker has put on the queue."""
        self._can_plan = True
        self._dead_letters = 0
        self._planning = threading.Lock()
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._thread = threading.Thread(target=self._work, name="together", daemon=True)

    def start(self, sweep: Sweeping) -> None:
        self._sweep = sweep
        self._scheduler.add_job(
            self._plan,
            "interval",
            seconds=self._interval_seconds,
            start_date=EPOCH,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.start()
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        give_up_at = time.monotonic() + timeout_seconds
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        self._thread.join(timeout_seconds)
        has_planned = self._planning.acquire(timeout=max(0.0, give_up_at - time.monotonic()))
        return has_planned and not self._thread.is_alive()

    # Planning

    def _plan(self) -> None:
        """Put the sweep that goes on by now on the queue. Others do the same; SQS keeps one."""
        with self._planning:
            if not self._stopping.is_set():
                self._plan_sweep()

    def _plan_sweep(self) -> None:
        now = self._wall_clock()
        sweep = sweep_at(now, self._interval_seconds)
        if self._planned == sweep:
            return
        if not may_be_planned(sweep, now, self._interval_seconds):
            log.info("the next sweep is the first that is planned here: this one is too old")
            return
        try:
            self._queue.put(plan_of(self._table, sweep, self._segments))
        except QueueError as error:
            self._can_plan = False
            self._tell(error, "the sweep is not planned")
            retry_at = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
            self._scheduler.add_job(self._plan, "date", run_date=retry_at)
            return
        self._planned, self._can_plan = sweep, True
        self._look_for_dead_letters()

    def _look_for_dead_letters(self) -> None:
        """Say so when there are more of them than when last looked at."""
        before = self._dead_letters
        try:
            url = self._queue_facts().dead_letter_queue
            if url is not None:
                self._dead_letters = self._queue.count_dead_letters(url)
        except QueueError as error:
            self._tell(error, "segments that were given up cannot be counted")
        if self._dead_letters > before:
            why = (
                f"{self._dead_letters} segments were given up and are in {url}: whoever took them"
                " died or failed; log lines 'sweep failed' say why. Purge it when that is mended"
            )
            self._tell(SegmentGivenUp(why), "segments were given up")

    # Sweeping

    def _work(self) -> None:
        self._guard(self._plan)
        while not self._stopping.is_set():
            self._guard(self._take_and_sweep)

    def _guard(self, act: Callable[[], None]) -> None:
        """Whatever happens, the work goes on after a while."""
        try:
            act()
        except QueueError as error:
            self._tell(error, "no segment can be taken")
            self._stopping.wait(RETRY_SECONDS)
        except Exception as error:
            log.exception("no segment can be taken", why=repr(error))
            publish_fault(self._publisher, error)
            self._stopping.wait(RETRY_SECONDS)

    def _take_and_sweep(self) -> None:
        facts = self._queue_facts()
        first = self._take(LONGEST_WAIT_SECONDS)
        if first is None:
            if self._can_plan:
                self._health.nothing_to_do()
            return
        lease = Lease(
            self._queue,
            first,
            self._take,
            facts.visibility_seconds,
            first.segment.sweep * self._interval_seconds,
            lambda: self._health.is_stuck,
        )
        ended = self._sweep(lease)
        if ended.finished:
            lease.finish()
        elif self._stopping.is_set() or lease.is_lost:
            lease.give_back(0)
        else:
            lease.give_back(RETRY_SECONDS)
            self._stopping.wait(min(RETRY_SECONDS, self._interval_seconds))
        if ended.took_seconds > self._interval_seconds:
            self._tell_of_overrun()

    def _take(self, wait_seconds: int) -> Taken | None:
        """A segment that is to be swept now; None if none comes within that time."""
        while True:
            asked_at = sleepless_clock()
            message = self._queue.take(wait_seconds)
            if message is None:
                return None
            segment = self._read(message)
            if segment is not None:
                return Taken(segment, message, asked_at)

    def _read(self, message: Message) -> Segment | None:
        """The segment that it is about, or None if there is nothing to be swept."""
        try:
            segment = Segment.of_table(message.text, self._table)
        except NoSegment as error:
            why = f"a message on {self._queue.url} cannot be swept: {error}"
            self._tell(NotOurs(why), "a message is left to the dead-letter queue")
            return None
        if self._planned is not None and segment.sweep < self._planned:
            self._queue.delete([message])
            log.warning("a segment is passed over: its sweep is over", number=segment.number)
            self._tell_of_overrun()
            return None
        if message.times_taken > 1:
            log.warning(
                "a segment is swept again: another worker died, lost it or failed",
                sweep=segment.sweep,
                segment=segment.number,
                times_taken=message.times_taken,
            )
        return segment

    def _queue_facts(self) -> QueueFacts:
        if self._facts is None:
            self._facts = self._queue.facts()
            if self._facts.dead_letter_queue is None:
                log.warning(
                    "the queue has no dead-letter queue, so nobody is told of a segment that cannot"
                    " be swept: give it a RedrivePolicy",
                    queue=self._queue.url,
                )
        return self._facts

    # Telling

    def _tell(self, fault: Exception, what: str) -> None:
        log.error(what, why=str(fault))
        publish_fault(self._publisher, fault)

    def _tell_of_overrun(self) -> None:
        tell_of_overrun(self._alerts, self._interval_seconds, "start more workers")
