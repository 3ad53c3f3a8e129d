"""A lease: the segments that a worker has received for a sweep, for as long as they are its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from reaper.aws.sqs import Message, QueueError, WorkQueue
from reaper.core.segments import Segment

log = structlog.get_logger()

LEASE_ALL_SECONDS = 2.0
"""A single worker leases all segments in about this time, or a tenth of the interval, one by one.
Workers who begin at the same time take turns, and so get equally many."""

LAST_WAIT_SECONDS = 1
"""For a segment that may be the last: SQS asks all its servers only when it is given time."""

LOOK_AGAIN_SECONDS = 5.0
"""While the sweep goes on, the queue is asked this often for what another worker has lost."""

RENEWALS_PER_TIMEOUT = 3
"""The visibility timeout is renewed this often within itself."""

RENEW_AGAIN_SECONDS = 1.0
"""After a renewal that failed."""

TICK_SECONDS = 0.2


_SLEEPLESS_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def sleepless_clock() -> float:
    """Seconds that never go back, and go by also while the machine sleeps (on Linux)."""
    return time.clock_gettime(_SLEEPLESS_CLOCK)


@dataclass(frozen=True, slots=True)
class LeasedSegment:
    """A segment with the message that it came as."""

    segment: Segment
    message: Message
    asked_at: float
    """When SQS was asked for it, by the sleepless clock. The lease begins a little later."""


class Lease:
    """A portion that grows while there are segments that nobody has, until it is closed.

    It may get lost: when the process was stopped, or the queue out of reach, for longer than the
    visibility timeout, another worker may have the segments. The clock here tells that first.
    """

    def __init__(
        self,
        queue: WorkQueue,
        first: LeasedSegment,
        receive_more: Callable[[int], LeasedSegment | None],
        visibility_seconds: float,
        started_at: float,
        grow_seconds: float,
        is_stuck: Callable[[], bool],
        clock: Callable[[], float] = sleepless_clock,
    ) -> None:
        """``receive_more`` waits so many seconds for another segment; for ``grow_seconds`` from now
        there may be some. The lease of a sweep that ``is_stuck`` is not renewed.
        """
        self._queue = queue
        self._leased = [first]
        self._receive_more = receive_more
        self._visibility_seconds = visibility_seconds
        self._is_stuck = is_stuck
        self._clock = clock
        self._ours_until = first.asked_at + visibility_seconds
        self._look_at = first.asked_at
        self._grows_until = clock() + grow_seconds
        self._renew_at = first.asked_at + visibility_seconds / RENEWALS_PER_TIMEOUT
        self._renewing = threading.Lock()
        self._growing = threading.Lock()
        self._is_over = threading.Event()
        self.total_segments = first.segment.total_segments
        self.segments: tuple[int, ...] = (first.segment.index,)
        self.started_at = started_at
        self.is_all_here = self._is_closed = self.total_segments == 1 or grow_seconds <= 0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether it has run out. Once lost it stays lost, whatever becomes of the queue."""
        with self._renewing:
            return self._clock() >= self._ours_until

    def close(self) -> None:
        """From now on none is added."""
        with self._growing:
            self._is_closed = True

    def complete(self) -> None:
        """The segments are swept: take them off the queue."""
        if not self._end():
            return
        try:
            self._queue.delete(self._messages)
            log.info("segments completed", **self._names)
        except QueueError as error:
            log.error(
                "segments not completed",
                why=f"they are swept, and will be swept again: {error}",
            )

    def release(self) -> None:
        """The segments are not swept to their end: let any worker lease them at once."""
        if not self._end():
            return
        try:
            self._queue.set_visibility(self._messages, 0)
            log.info("segments released", **self._names)
        except QueueError as error:
            log.warning(
                "segments not released",
                why=f"others get them when the visibility timeout ends: {error}",
                **self._names,
            )

    @property
    def _messages(self) -> list[Message]:
        return [leased.message for leased in self._leased]

    @property
    def _names(self) -> dict[str, object]:
        return {
            "sweep": self._leased[0].segment.sweep,
            "segments": list(self.segments),
            "total_segments": self.total_segments,
        }

    def _end(self) -> bool:
        """Receive and renew no more. Whether the segments are still this worker's."""
        self._is_over.set()
        self._thread.join()
        return not self.is_lost

    def _run(self) -> None:
        try:
            while not self._is_over.wait(self._pause_seconds) and not self.is_lost:
                if self._clock() >= self._renew_at:
                    self._renew()
                if self._clock() >= self._grows_until:
                    self._note_all_here()
                elif self._clock() >= self._look_at and not self._is_closed:
                    self._grow()
        except Exception as error:
            log.exception("lease not renewed any longer", why=repr(error))
        finally:
            self.is_all_here = True
        if self.is_lost:
            log.warning(
                "segments lost",
                why="this worker was away, or the queue out of reach, for longer than the queue's"
                " visibility timeout; another worker sweeps them",
                **self._names,
                visibility_seconds=self._visibility_seconds,
            )

    @property
    def _pause_seconds(self) -> float:
        interval_seconds = self._leased[0].segment.interval_seconds
        lease_all_seconds = min(LEASE_ALL_SECONDS, interval_seconds / 10)
        return TICK_SECONDS if self.is_all_here else lease_all_seconds / self.total_segments

    def _grow(self) -> None:
        another = None
        try:
            another = self._receive_more(0 if self.is_all_here else LAST_WAIT_SECONDS)
            if another is not None and not self._add(another):
                self._queue.set_visibility([another.message], 0)
                another = None
        except QueueError as error:
            log.warning("no more segments leased", why=str(error))
        if another is None or len(self._leased) == self.total_segments:
            self._note_all_here()
        else:
            self.is_all_here = False

    def _note_all_here(self) -> None:
        """Nothing is left for the moment."""
        self._look_at = self._clock() + LOOK_AGAIN_SECONDS
        if not self.is_all_here:
            log.info("segments leased", **self._names)
        self.is_all_here = True

    def _add(self, another: LeasedSegment) -> bool:
        """Add one to the portion, if it belongs there and the sweep is not just over."""
        with self._growing:
            segment = another.segment
            is_same_sweep = segment.is_of_sweep(self._leased[0].segment)
            if self._is_closed or not is_same_sweep or segment.index in self.segments:
                return False
            self._leased.append(another)
            self.segments = tuple(sorted(leased.segment.index for leased in self._leased))
            return True

    def _renew(self) -> None:
        """Begin the visibility timeout anew, unless it has run out meanwhile."""
        now = self._clock()
        if self._is_stuck():
            return
        try:
            self._queue.set_visibility(self._messages, self._visibility_seconds)
        except QueueError as error:
            self._renew_at = now + RENEW_AGAIN_SECONDS
            log.warning("lease not renewed", why=str(error), **self._names)
            return
        with self._renewing:
            if self._clock() < self._ours_until:
                self._ours_until = now + self._visibility_seconds
                self._renew_at = now + self._visibility_seconds / RENEWALS_PER_TIMEOUT
