"""What may wait, beside the sweep's loop: work on threads, and tasks that go on when it is done.

A task is a generator on the loop's own thread. It yields the future of what it waits for, and gets
its result, or its exception, when the loop next looks: so tables, hooks and disks may hang, and all
that is counted and decided stays on one thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

Task = Generator[Future[Any], Any, None]


class LaneThreads:
    """One thread for each lane: what hangs holds up its own lane only, and no end of the process.

    Work whose future was cancelled before its turn is not done.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, SimpleQueue[tuple[Future[Any], Callable[[], Any]]]] = {}

    def __call__(self, lane: str, work: Callable[[], T]) -> Future[T]:
        if lane not in self._lanes:
            self._lanes[lane] = SimpleQueue()
            threading.Thread(
                target=self._run, args=(self._lanes[lane],), name=lane, daemon=True
            ).start()
        future: Future[T] = Future()
        self._lanes[lane].put((future, work))
        return future

    @staticmethod
    def _run(lane: SimpleQueue[tuple[Future[Any], Callable[[], Any]]]) -> None:
        while True:
            future, work = lane.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
                future.set_exception(error)
            del future, work


class TaskLine:
    """Tasks, one after another."""

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque()
        self._current: Task | None = None
        self._awaited: Future[Any] = Future()

    @property
    def is_busy(self) -> bool:
        return self._current is not None or bool(self._waiting)

    def add(self, task: Task) -> None:
        """It is taken up at the next ``advance``, or when those before it have ended."""
        self._waiting.append(task)

    def advance(self) -> None:
        """Take every step that can be taken by now. Raises what a task raises."""
        while self._current is not None or self._waiting:
            if self._current is None:
                task = self._waiting.popleft()
                self._go_on(task, partial(task.send, None))
            elif not self._awaited.done():
                return
            elif (error := self._awaited.exception()) is not None:
                self._go_on(self._current, partial(self._current.throw, error))
            else:
                self._go_on(self._current, partial(self._current.send, self._awaited.result()))

    def interrupt(self, error: Exception) -> None:
        """The running task gets this in place of what it waits for, and goes on with that."""
        if self._current is not None:
            self._awaited.cancel()
            self._go_on(self._current, partial(self._current.throw, error))

    def _go_on(self, task: Task, step: Callable[[], Future[Any]]) -> None:
        self._current = None
        with suppress(StopIteration):
            self._awaited = step()
            self._current = task
