"""A parallel scan: each segment is a page ahead of the sweep, and all of them are on its thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from reaper.aws.dynamodb.calls import MAX_ATTEMPTS, DynamoApi, Outcome, pause_seconds
from reaper.aws.dynamodb.endless import PageTrail
from reaper.aws.dynamodb.requests import ScanRequests
from reaper.aws.dynamodb.wire import Page, read_page
from reaper.core.errors import TableError
from reaper.core.pacing.rate import TokenBucket
from reaper.core.portion import Portion, share_of
from reaper.core.rows.items import Item

MAX_ROWS_PER_PAGE = 2000
"""Rows are larger than the JSON that they come as."""


@dataclass(eq=False)
class _Segment:
    number: int
    start_key: Item | None = None
    attempts: int = 0
    """In vain, for the page that starts there."""
    not_before: float = 0.0
    is_asked: bool = False
    has_page: bool = False
    """Whether nobody has taken the page before."""

    def __post_init__(self) -> None:
        self.trail = PageTrail(f"Scan of segment {self.number}")


class ParallelScan:
    """Pages of a portion's segments in the order in which they come.

    Runs ahead of whoever takes the pages by one of each segment only, and never reads faster than
    the portion's share of ``max_rcu`` read units a second (0: no limit). For one thread.
    """

    def __init__(
        self,
        api: DynamoApi,
        requests: ScanRequests,
        portion: Portion,
        max_rcu: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._requests = requests
        self._portion = portion
        self._max_rcu = max_rcu
        self._clock = clock
        self._bucket = TokenBucket(max_rcu, clock()) if max_rcu else None
        self._open: list[_Segment] = []
        self._begun: set[int] = set()
        self._pages: deque[tuple[_Segment, Page]] = deque()
        self._is_stopped = False
        self._begin()

    @property
    def exhausted(self) -> bool:
        """Whether every page has been taken."""
        return not (self._open or self._pages) and self._portion.is_all_here and not self._not_begun

    def advance(self) -> None:
        """Take in what has come by now, so that no page is late for being looked at seldom.

        Raises TableError if a segment cannot be read.
        """
        self._begin()
        if any(segment.is_asked for segment in self._open):
            self._take_answers(0)
            self._ask()

    def next_page(self, wait_seconds: float) -> Page | None:
        """The next page, or None if none came within that time.

        Raises TableError if a segment cannot be read.
        """
        self._begin()
        if not self._pages:
            self._take_answers(wait_seconds)
        if not self._pages:
            self._ask()
            return None
        segment, page = self._pages.popleft()
        segment.has_page = False
        self._ask()
        return page

    def stop(self) -> None:
        """Read no more. Pages that were read already may still be taken."""
        self._is_stopped = True
        self._open.clear()

    @property
    def _not_begun(self) -> set[int]:
        return set() if self._is_stopped else set(self._portion.segments) - self._begun

    def _begin(self) -> None:
        """Read what belongs to the portion by now."""
        for number in self._not_begun:
            self._begun.add(number)
            self._open.append(_Segment(number))
        self._ask()

    def _ask(self) -> None:
        """For the next page of each segment that has none, and is not asked for one."""
        now = self._clock()
        if self._bucket is not None:
            self._bucket.set_rate(self._max_rcu * share_of(self._portion), now)
        for segment in self._open:
            if segment.is_asked or segment.has_page or segment.not_before > now:
                continue
            if not self._may_read(now):
                return
            segment.is_asked = True
            request = self._requests.of(
                segment.start_key,
                segment.number,
                self._portion.total_segments,
                MAX_ROWS_PER_PAGE,
            )
            self._api.send("Scan", msgspec.json.encode(request), segment)

    def _may_read(self, now: float) -> bool:
        """A limit is kept by one request at a time: what a page costs is known when it has come."""
        if self._bucket is None:
            return True
        return not any(one.is_asked for one in self._open) and not self._bucket.seconds_to_next(now)

    def _take_answers(self, wait_seconds: float) -> None:
        """Raises TableError, after which nothing more is read."""
        try:
            for outcome in self._api.poll(wait_seconds):
                self._learn(outcome)
        except TableError:
            self.stop()
            raise

    def _learn(self, outcome: Outcome) -> None:
        segment = outcome.tag
        if segment not in self._open:
            return  # of an earlier scan, or of one that was stopped
        segment.is_asked = False
        if isinstance(outcome.result, Exception):
            segment.attempts += 1
            if not outcome.may_pass or segment.attempts == MAX_ATTEMPTS:
                raise outcome.result
            segment.not_before = self._clock() + pause_seconds(segment.attempts)
            return
        page = read_page(outcome.result)
        if self._bucket is not None:
            self._bucket.spend(page.read_units, self._clock())
        segment.trail.note(page.next_key, has_items=page.has_items)
        segment.attempts, segment.start_key, segment.has_page = 0, page.next_key, True
        self._pages.append((segment, page))
        if page.next_key is None:
            self._open.remove(segment)
