"""A lease: the segments that a worker has taken for one sweep, for as long as they are its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from reaper.aws.queue import Message, QueueError, WorkQueue
from reaper.core.segments import Segment

log = structlog.get_logger()

TAKE_ALL_SECONDS = 2.0
"""Whoever is alone takes all segments in about this time, or a tenth of the interval, one by one.
Workers who begin together take turns, and come to have equally many, unknown to each other."""

LAST_WAIT_SECONDS = 1
"""For a segment that may be the last: SQS asks all its servers only when it is given time."""

LOOK_AGAIN_SECONDS = 5.0
"""While the sweep goes on, the queue is asked so often for what another worker has lost."""

KEEPS_PER_TIMEOUT = 3
"""The visibility timeout is begun anew so often within itself."""

RETRY_SECONDS = 1.0
TICK_SECONDS = 0.2


_SLEEPLESS_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def sleepless_clock() -> float:
    """Seconds that never go back, and go by also while the machine sleeps (on Linux)."""
    return time.clock_gettime(_SLEEPLESS_CLOCK)


@dataclass(frozen=True, slots=True)
class Taken:
    """A segment with the message that it came as."""

    segment: Segment
    message: Message
    asked_at: float
    """When SQS was asked for it, by the sleepless clock: it is ours from a later moment on."""


class Lease:
    """A portion that grows while there are segments that nobody has, until it is closed.

    It may get lost: when the process was stopped, or the queue out of reach, for longer than the
    visibility timeout, another worker may have the segments. The clock here tells that first.
    """

    def __init__(
        self,
        queue: WorkQueue,
        first: Taken,
        take_more: Callable[[int], Taken | None],
        visibility_seconds: float,
        started_at: float,
        grow_seconds: float,
        is_stuck: Callable[[], bool],
        clock: Callable[[], float] = sleepless_clock,
    ) -> None:
        """``take_more`` waits so many seconds for another segment, of which there may be some for
        ``grow_seconds`` yet. A sweep that ``is_stuck`` keeps its segments no longer than the
        visibility timeout.
        """
        self._queue = queue
        self._taken = [first]
        self._take_more = take_more
        self._visibility_seconds = visibility_seconds
        self._is_stuck = is_stuck
        self._clock = clock
        self._ours_until = first.asked_at + visibility_seconds
        self._look_at = first.asked_at
        self._grows_until = clock() + grow_seconds
        self._keep_at = first.asked_at + visibility_seconds / KEEPS_PER_TIMEOUT
        self._is_lost = False
        self._growing = threading.Lock()
        self._is_closed = False
        self._is_over = threading.Event()
        self.of = first.segment.of
        self.segments: tuple[int, ...] = (first.segment.number,)
        self.started_at = started_at
        self.is_all_here = self._is_closed = self.of == 1 or grow_seconds <= 0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Once lost it stays lost, whatever becomes of the queue."""
        if not self._is_lost and self._clock() >= self._ours_until:
            self._is_lost = True
            log.warning(
                "segments are lost: this worker was away, or the queue out of reach, for longer"
                " than the queue's visibility timeout; another worker takes them",
                **self._names,
                visibility_seconds=self._visibility_seconds,
            )
        return self._is_lost

    def close(self) -> None:
        """From now on none is added."""
        with self._growing:
            self._is_closed = True

    def finish(self) -> None:
        """The sweep has seen them to their end."""
        if self._end():
            return
        try:
            self._queue.delete(self._messages)
            log.info("segments are done", **self._names)
        except QueueError as error:
            log.error(
                "segments are done but stay on the queue, and will be swept again", why=str(error)
            )

    def give_back(self) -> None:
        """The sweep has not seen them to their end: whoever is there may take them at once."""
        if self._end():
            return
        try:
            self._queue.keep(self._messages, 0)
            log.info("segments are given back", **self._names)
        except QueueError as error:
            log.warning(
                "segments cannot be given back: others get them when the visibility timeout ends",
                why=str(error),
                **self._names,
            )

    @property
    def _messages(self) -> list[Message]:
        return [taken.message for taken in self._taken]

    @property
    def _names(self) -> dict[str, object]:
        return {
            "sweep": self._taken[0].segment.sweep,
            "segments": list(self.segments),
            "of": self.of,
        }

    def _end(self) -> bool:
        """Nothing more is taken or kept. Whether they are somebody else's already."""
        self._is_over.set()
        self._thread.join()
        return self.is_lost

    def _run(self) -> None:
        try:
            while not self._is_over.wait(self._pause_seconds) and not self.is_lost:
                if self._clock() >= self._keep_at:
                    self._keep()
                if self._clock() >= self._grows_until:
                    self._has_all()
                elif self._clock() >= self._look_at and not self._is_closed:
                    self._grow()
        except Exception as error:
            log.exception("the lease is not kept any longer", why=repr(error))
        finally:
            self.is_all_here = True

    @property
    def _pause_seconds(self) -> float:
        take_all_seconds = min(TAKE_ALL_SECONDS, self._taken[0].segment.every / 10)
        return TICK_SECONDS if self.is_all_here else take_all_seconds / self.of

    def _grow(self) -> None:
        another = None
        try:
            another = self._take_more(0 if self.is_all_here else LAST_WAIT_SECONDS)
            if another is not None and not self._takes(another):
                self._queue.keep([another.message], 0)
                another = None
        except QueueError as error:
            log.warning("no more segments can be taken", why=str(error))
        if another is None or len(self._taken) == self.of:
            self._has_all()
        else:
            self.is_all_here = False

    def _has_all(self) -> None:
        """Nothing is left for the moment."""
        self._look_at = self._clock() + LOOK_AGAIN_SECONDS
        if not self.is_all_here:
            log.info("segments are taken", **self._names)
        self.is_all_here = True

    def _takes(self, another: Taken) -> bool:
        """Add one to the portion, if it belongs there and the sweep is not just over."""
        with self._growing:
            segment = another.segment
            is_same_sweep = segment.is_of_sweep(self._taken[0].segment)
            if self._is_closed or not is_same_sweep or segment.number in self.segments:
                return False
            self._taken.append(another)
            self.segments = tuple(sorted(taken.segment.number for taken in self._taken))
            return True

    def _keep(self) -> None:
        """Begin the visibility timeout anew."""
        now = self._clock()
        if self._is_stuck():
            return
        try:
            self._queue.keep(self._messages, self._visibility_seconds)
            self._ours_until = now + self._visibility_seconds
            self._keep_at = now + self._visibility_seconds / KEEPS_PER_TIMEOUT
        except QueueError as error:
            self._keep_at = now + RETRY_SECONDS
            log.warning("segments cannot be kept at the moment", why=str(error), **self._names)
