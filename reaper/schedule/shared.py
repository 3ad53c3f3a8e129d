"""The schedule of many workers: each enqueues every sweep, and sweeps the segments it leases.

tick ── enqueue ─▶ queue ── segments ─▶ lease ─▶ sweep ── complete ─▶ queue
                     ▲                                      release │
                     └──────────────────────────────────────────────┘
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from reaper.aws.sqs import MAX_WAIT_SECONDS, Message, QueueError, QueueFacts, WorkQueue
from reaper.core.errors import Fault
from reaper.core.report.swept import Outcome
from reaper.core.report.troubles import Kind, Trouble
from reaper.core.segments import ForeignSegment, NoSegment, Segment
from reaper.schedule.enqueue import Enqueuer
from reaper.schedule.lease import Lease, LeasedSegment, sleepless_clock
from reaper.schedule.ports import RETRY_SECONDS, Ended, Overran, Sweeping
from reaper.telemetry.health import Health
from reaper.telemetry.publish import Publisher

log = structlog.get_logger()

MAX_CLOCK_SKEW_SECONDS = 5.0

DRY_RUN = "REAPER_DRY_RUN"
"""Who differs in that may do so: a dry run beside others sweeps by itself and changes nothing."""

FOREIGN_SECONDS = 2.0
"""So long a segment of others is out of the way of our own; then they may have it.
Who takes it more often wears it out."""

SHARED_QUEUE_INTERVALS = 2
"""For so long after such a segment the queue counts as shared."""

MIN_VISIBILITY_SECONDS = 2.0
"""A lease cannot be renewed in less, whatever the queue says."""


class SharedSchedule:
    """Sweeps segments whenever there are some to be taken."""

    cure_at_budget = "start more workers, or raise REAPER_QUOTA_SHARE"

    def __init__(
        self,
        *,
        queue: WorkQueue,
        table: str,
        settings: Mapping[str, str],
        total_segments: int,
        interval_seconds: float,
        publisher: Publisher,
        health: Health,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``settings``: what workers of a table need to have in common."""
        self._queue = queue
        self._table = table
        self._settings = settings
        self._interval_seconds = interval_seconds
        self._publisher = publisher
        self._health = health
        self._wall_clock = wall_clock
        self._facts: QueueFacts | None = None
        self._can_sweep = True
        """Whether its last sweep reached its end."""
        self._shared_queue: tuple[float, Fault] | None = None
        """When the last segment of others was seen, and what is told of it."""
        self._stopping = threading.Event()
        self._enqueuer = Enqueuer(
            queue,
            self._queue_facts,
            table,
            settings,
            total_segments,
            interval_seconds,
            self._tell,
            wall_clock,
        )
        self._thread = threading.Thread(target=self._work, name="shared-schedule", daemon=True)

    def start(self, sweep: Sweeping, on_overrun: Overran) -> None:
        self._sweep = sweep
        self._overran = on_overrun
        self._enqueuer.start()
        self._thread.start()

    @property
    def next_sweep_at(self) -> float | None:
        """Whenever a segment comes, which nobody knows."""
        return None

    def stop(self, timeout_seconds: float) -> bool:
        give_up_at = time.monotonic() + timeout_seconds
        self._stopping.set()
        self._thread.join(timeout_seconds)
        has_enqueued = self._enqueuer.stop(max(0.0, give_up_at - time.monotonic()))
        return has_enqueued and not self._thread.is_alive()

    def _work(self) -> None:
        self._guard(self._enqueuer.enqueue)
        while not self._stopping.is_set():
            self._guard(self._take_and_sweep)

    def _guard(self, act: Callable[[], None]) -> None:
        """Whatever happens, the work goes on after a while."""
        try:
            act()
        except QueueError as error:
            self._tell(error, "no segment leased")
            self._stopping.wait(RETRY_SECONDS)
        except Exception as error:
            log.exception("no segment leased", why=repr(error))
            self._publisher.publish_fault(error)
            self._stopping.wait(RETRY_SECONDS)

    def _take_and_sweep(self) -> None:
        facts = self._queue_facts()
        first = self._take(MAX_WAIT_SECONDS)
        if first is None:
            if self._enqueuer.can_enqueue and self._can_sweep:
                self._health.nothing_to_do()
                self._remind_of_shared_queue()
            return
        now, segment = self._wall_clock(), first.segment
        lease = Lease(
            self._queue,
            first,
            self._take,
            facts.visibility_seconds,
            started_at=min(now, segment.begins_at),
            grow_seconds=segment.ends_at - now,
            is_stuck=lambda: self._health.is_stuck,
        )
        try:
            ended = self._sweep(lease)
        except BaseException:
            lease.release()
            raise
        self._settle(lease, ended)

    def _settle(self, lease: Lease, ended: Ended) -> None:
        """Complete or release its segments. Who could not sweep them lets others try first."""
        self._can_sweep = ended.outcome.is_end
        if ended.outcome is Outcome.DONE:
            lease.complete()
        else:
            lease.release()
        if ended.outcome in (Outcome.FAILED, Outcome.CUT_SHORT):
            self._stopping.wait(min(RETRY_SECONDS, self._interval_seconds))
        if ended.took_seconds > self._interval_seconds:
            self._overran(None)
        self._remind_of_shared_queue()

    def _take(self, wait_seconds: int) -> LeasedSegment | None:
        """A segment that is to be swept now; None if none comes within that time."""
        while True:
            asked_at = sleepless_clock()
            message = self._queue.receive(wait_seconds, self._queue_facts().visibility_seconds)
            if message is None:
                return None
            try:
                segment = Segment.of_table(message.text, self._table, self._settings)
            except ForeignSegment as error:
                self._leave(message, error)
                continue
            except NoSegment as error:
                self._refuse(message, error)
                continue
            if self._is_to_be_swept(segment, message):
                return LeasedSegment(segment, message, asked_at)

    def _is_to_be_swept(self, segment: Segment, message: Message) -> bool:
        """Whether it is, or its sweep is over and the next one has it too."""
        now = self._wall_clock()
        if segment.ends_at <= now and self._enqueuer.has_enqueued_sweep_at(now):
            self._pass_over(segment, message, now)
            return False
        if segment.begins_at > now + MAX_CLOCK_SKEW_SECONDS:
            log.warning(
                "clocks disagree",
                why="another worker's is ahead, or this one's behind: rows are asked too often",
                seconds=round(segment.begins_at - now, 1),
            )
        if message.receive_count > 1:
            log.warning(
                "segment swept again",
                why="another worker died, lost it or failed",
                sweep=segment.sweep,
                segment=segment.index,
                receive_count=message.receive_count,
            )
        return True

    def _leave(self, message: Message, why: ForeignSegment) -> None:
        """To the workers whose it is."""
        self._queue.set_visibility([message], FOREIGN_SECONDS)
        if DRY_RUN in why.differing:
            log.info("message left to other workers", why="they, or this one, are in a dry run")
            return
        if why.differing:
            fault = QueueError(
                f"other workers of this table have other settings ({', '.join(why.differing)}), so"
                " each kind sweeps the whole table by itself, and at the whole budget",
                "set them alike for all",
            )
        else:
            fault = QueueError(
                f"{self._queue.url} is shared with another table, so that sweeps of both come late:"
                f" a message cannot be swept here, since {why}",
                "give each table a queue of its own (REAPER_QUEUE_URL)",
            )
        self._shared_queue = time.monotonic(), fault
        self._tell(fault, "message left to other workers")

    def _remind_of_shared_queue(self) -> None:
        """All is not well with it because a sweep was."""
        if self._shared_queue is None:
            return
        seen_at, fault = self._shared_queue
        if time.monotonic() - seen_at < SHARED_QUEUE_INTERVALS * self._interval_seconds:
            self._publisher.publish_fault(fault)

    def _refuse(self, message: Message, why: NoSegment) -> None:
        """It goes to the dead-letter queue, the sooner the less it holds up; or, where there is
        none, it is deleted, since it would hold up its group for as long as the queue keeps it.
        """
        if self._queue_facts().dead_letter_queue is None:
            self._queue.delete([message])
            what = "message deleted"
            where = "it was deleted, since there is no dead-letter queue"
        else:
            self._queue.set_visibility([message], 0)
            what = "message left to the dead-letter queue"
            where = "it goes to the dead-letter queue"
        fault = QueueError(
            f"a message on {self._queue.url} cannot be swept: {why}",
            f"find out who put it there; {where}",
        )
        self._tell(fault, what)

    def _pass_over(self, segment: Segment, message: Message, now: float) -> None:
        """Its sweep is over and the one that goes on has such a segment too."""
        self._queue.delete([message])
        log.warning("segment passed over", why="its sweep is over", segment=segment.index)
        has_waited = message.receive_count == 1
        if has_waited and now < segment.ends_at + self._interval_seconds:
            self._publisher.publish_trouble(
                Trouble(
                    Kind.SWEEP_OVERRUN,
                    f"segment {segment.index} was not swept in its interval of"
                    f" {self._interval_seconds:g} s, since no worker took it",
                    "see by the workers' logs whether some have died or are slow; if all are busy,"
                    f" {self.cure_at_budget}",
                )
            )

    def _queue_facts(self) -> QueueFacts:
        if self._facts is None:
            facts = self._queue.facts()
            visibility_seconds = max(MIN_VISIBILITY_SECONDS, facts.visibility_seconds)
            self._facts = replace(facts, visibility_seconds=visibility_seconds)
            if self._facts.dead_letter_queue is None:
                log.warning(
                    "queue without a dead-letter queue",
                    why="nobody is told of a segment that cannot be swept",
                    cure="give it a RedrivePolicy",
                    queue=self._queue.url,
                )
        return self._facts

    def _tell(self, fault: Fault, what: str) -> None:
        log.error(what, why=fault.why, cure=fault.cure)
        self._publisher.publish_fault(fault)
