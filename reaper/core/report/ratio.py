"""The heartbeat-to-message ratio: how messages are counted, and how it is kept within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

from reaper.core.platform import MAX_CONNECTION_LIFE_SECONDS


def heartbeat_message_ratio(heartbeats: int, messages: int | None) -> float | None:
    """Heartbeats for each message of the application in the same window.

    Absent, not zero and not infinite, when no message was counted.
    """
    return heartbeats / messages if messages else None


def messages_in_window(count: int, age_seconds: float | None, window_seconds: float) -> float:
    """Of the messages that a row has counted since it connected, those of the last window.

    For a connection younger than the window that is all of them. For an older one it is the
    share that its mean rate gives, so nothing has to be remembered from sweep to sweep; a
    client that has just grown loud or silent is misjudged by that much. Without an age the
    longest possible one is assumed, which undercounts. Connections that came and went between
    two sweeps are never seen.
    """
    age = MAX_CONNECTION_LIFE_SECONDS if age_seconds is None else age_seconds
    return count * min(1.0, window_seconds / max(age, 1.0))


class Counts(Protocol):
    """What of a sweep's report the ratio is made of."""

    @property
    def heartbeats(self) -> int: ...
    @property
    def messages(self) -> int | None: ...


def ratio_over(sweeps: Iterable[Counts]) -> float | None:
    """The ratio over several sweeps: of their sums, not the mean of their ratios.

    Sweeps whose messages nobody counted are left out.
    """
    heartbeats = messages = 0
    for sweep in sweeps:
        if sweep.messages is not None:
            heartbeats += sweep.heartbeats
            messages += sweep.messages
    return heartbeat_message_ratio(heartbeats, messages)


class PerMinute:
    """How much a total has grown in each of the last minutes."""

    def __init__(self, minutes_kept: int) -> None:
        self._kept_seconds = 60 * minutes_kept
        self._total = 0.0
        self._minutes: dict[float, float] = {}

    def note(self, total: float, at: float) -> None:
        """``total`` had been reached by this epoch second."""
        grown, self._total = total - self._total, total
        if grown:
            minute = at // 60 * 60
            self._minutes[minute] = self._minutes.get(minute, 0.0) + grown
            for old in [one for one in self._minutes if one < minute - self._kept_seconds]:
                del self._minutes[old]

    def between(self, start: float, end: float) -> float:
        """The growth in the minutes from one full minute to another, in epoch seconds."""
        return sum(grown for minute, grown in self._minutes.items() if start <= minute < end)


MAX_STRETCH = 1.25
"""In one step, so that a moment's silence does not decide about an hour."""

MIN_INTERVALS_PER_STEP = 2
MAX_INTERVALS_PER_STEP = 4
"""So many heartbeat intervals are looked at before the next step. Connections that were opened
together get their heartbeats together, so a look ends with such a flood: else it would hold two of
them where there are nearly three."""

CALM = 0.5
"""Heartbeats become more frequent only below this part of the limit. An interval that crosses the
length of a sweep doubles them, and must not exceed the limit by that."""


@dataclass(frozen=True, slots=True)
class RatioLimit:
    """Keeps the ratio below a limit, by the interval of the heartbeats."""

    limit: float
    min_seconds: float
    """The interval where the ratio is within its limit."""
    max_seconds: float
    """No further, whatever the ratio: what keeps an idle socket open."""

    def next_interval(self, interval_seconds: float, heartbeats: int, messages: int) -> float:
        """The heartbeat interval, in seconds, after one with these counts.

        The ratio is at most in inverse proportion to the interval, so half of the distance (as
        logarithms go) is covered at each step: it comes near from one side. Without a message any
        heartbeat is one too many.
        """
        excess = _excess(heartbeats, messages, self.limit)
        factor = 1.0
        if excess > 1:
            factor = min(MAX_STRETCH, sqrt(excess))
        elif excess < CALM:
            factor = max(1 / MAX_STRETCH, sqrt(excess / CALM))
        return min(self.max_seconds, max(self.min_seconds, interval_seconds * factor))


def _excess(heartbeats: int, messages: int, limit: float) -> float:
    """The ratio as a multiple of its limit."""
    if not heartbeats:
        return 0.0
    return heartbeats / (messages * limit) if messages else float("inf")


class HeartbeatPace:
    """The heartbeat interval in force, which follows the ratio, step by step."""

    def __init__(self, limit: RatioLimit, now: float) -> None:
        """``now`` is a clock that never goes back, in seconds, as everywhere here."""
        self._limit = limit
        self.interval_seconds = limit.min_seconds
        self._look_afresh(now)

    def learn(self, sweep: Counts, now: float) -> bool:
        """What came of a sweep that has just ended. Whether this changed the interval."""
        if sweep.messages is not None:
            self._sweeps += 1
            self._heartbeats += sweep.heartbeats
            self._messages += sweep.messages
        before = self.interval_seconds
        if not self._has_seen_enough(sweep.heartbeats, (now - self._since) / before):
            return False
        if self._sweeps:
            self.interval_seconds = self._limit.next_interval(
                before, self._heartbeats, self._messages
            )
        self._look_afresh(now)
        return self.interval_seconds != before

    def fall_back(self, now: float) -> bool:
        """Sweeps are not punctual, and a long interval has no time to spare. Whether it was one."""
        was_stretched = self.interval_seconds > self._limit.min_seconds
        self.interval_seconds = self._limit.min_seconds
        self._look_afresh(now)
        return was_stretched

    def _has_seen_enough(self, heartbeats: int, intervals: float) -> bool:
        is_flood = heartbeats * self._sweeps >= self._heartbeats
        return intervals >= (MIN_INTERVALS_PER_STEP if is_flood else MAX_INTERVALS_PER_STEP)

    def _look_afresh(self, now: float) -> None:
        self._since = now
        self._sweeps = self._heartbeats = self._messages = 0
