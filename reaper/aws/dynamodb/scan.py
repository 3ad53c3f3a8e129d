"""A parallel scan: one thread per segment, a bounded queue between them and the sweep."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread

from reaper.aws.dynamodb.wire import Page
from reaper.core.pacing.rate import TokenBucket
from reaper.core.portion import Portion, share_of
from reaper.core.rows.items import Item

PAGES_AHEAD_PER_SEGMENT = 1
"""How far the scan may run ahead of the sweep, which is what bounds the memory."""

MAX_ROWS_PER_PAGE = 5000
"""Rows are larger than the JSON that they come as."""


ReadPage = Callable[[Item | None, int, int, int], Page]
"""Reads the page that starts there: of which segment, of how many, of how many rows at most."""


class ParallelScan:
    """Pages of a portion's segments in the order in which they come.

    Runs ahead of whoever takes the pages by a few of them only, and never reads faster than the
    portion's share of ``max_rcu`` read units a second (0: no limit).
    """

    def __init__(
        self,
        read_page: ReadPage,
        portion: Portion,
        max_rcu: float,
    ) -> None:
        self._read_page = read_page
        self._portion = portion
        self._lock = Lock()
        self._max_rcu = max_rcu
        self._bucket = TokenBucket(max_rcu, time.monotonic()) if max_rcu else None
        self._pages: Queue[Page | Exception | None] = Queue(
            PAGES_AHEAD_PER_SEGMENT * portion.total_segments
        )
        self._stop = Event()
        self._begun: set[int] = set()
        self._running = 0
        self._begin()

    @property
    def exhausted(self) -> bool:
        """Whether every page has been taken."""
        return self._running == 0 and self._portion.is_all_here and not self._not_begun

    def next_page(self, wait_seconds: float) -> Page | None:
        """The next page, or None if none came within that time.

        Raises TableError if a segment cannot be read.
        """
        self._begin()
        try:
            page = self._pages.get(timeout=wait_seconds) if wait_seconds else self._pages.get(False)
        except Empty:
            return None
        if isinstance(page, Exception):
            self.stop()
            raise page
        if page is None:
            self._running -= 1
        return page

    def stop(self) -> None:
        """Read no more. Pages that were read already may still be taken."""
        self._stop.set()

    @property
    def _not_begun(self) -> set[int]:
        return set(self._portion.segments) - self._begun

    def _begin(self) -> None:
        """Read what belongs to the portion by now."""
        for segment in self._not_begun:
            self._begun.add(segment)
            self._running += 1
            Thread(target=self._run, args=(segment,), name=f"scan-{segment}", daemon=True).start()
        if self._bucket is not None:
            with self._lock:
                self._bucket.set_rate(self._max_rcu * share_of(self._portion), time.monotonic())

    def _run(self, segment: int) -> None:
        try:
            self._scan(segment)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sweep hears of it
            self._put(error)
        self._put(None)

    def _scan(self, segment: int) -> None:
        start_key: Item | None = None
        while not self._stop.is_set():
            self._wait_for_read_units()
            page = self._read_page(
                start_key, segment, self._portion.total_segments, MAX_ROWS_PER_PAGE
            )
            self._spend(page.read_units)
            self._put(page)
            start_key = page.next_key
            if start_key is None:
                return

    def _put(self, page: Page | Exception | None) -> None:
        while not self._stop.is_set():
            try:
                self._pages.put(page, timeout=0.2)
                return
            except Full:
                continue

    def _wait_for_read_units(self) -> None:
        while self._bucket is not None and not self._stop.is_set():
            with self._lock:
                wait = self._bucket.seconds_to_next(time.monotonic())
            if wait == 0:
                return
            self._stop.wait(min(wait, 0.2))

    def _spend(self, units: float) -> None:
        if self._bucket is not None:
            with self._lock:
                self._bucket.spend(units, time.monotonic())
