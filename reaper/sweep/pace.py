"""The pace of a worker's sweeps, learned from one to the next: call rate, heartbeat interval."""

from __future__ import annotations

import structlog

from reaper.core.pacing.rate import spread_rate
from reaper.core.portion import Extrapolation, Portion, share_of
from reaper.core.report.ratio import HeartbeatPace, RatioLimit
from reaper.core.report.report import Report

log = structlog.get_logger()


class SweepPace:
    """Owns the heartbeat interval in force, and how many calls a sweep of the table takes."""

    def __init__(
        self,
        limit: RatioLimit,
        budget_rps: float,
        interval_seconds: float,
        window_seconds: float,
        now: float,
    ) -> None:
        """``window_seconds`` is the part of the interval over which calls are spread."""
        self._budget_rps = budget_rps
        self._interval_seconds = interval_seconds
        self._window_seconds = window_seconds
        self._heartbeats = HeartbeatPace(limit, now)
        self._calls = Extrapolation()

    @property
    def heartbeat_interval_seconds(self) -> float:
        return self._heartbeats.interval_seconds

    def first_rate(self, spread_seconds: float) -> float:
        """A steady rate for as many calls as last time; the budget while that is not known."""
        calls = self._calls.of_sweep
        if not spread_seconds or calls is None:
            return self._budget_rps
        return spread_rate(calls, spread_seconds, self._budget_rps)

    def learn_calls(self, portion: Portion, calls: int, *, spread: bool) -> None:
        """So many it took until every row of the portion had its turn."""
        self._calls.add(portion.started_at, calls, share_of(portion))
        of_table = self._calls.of_sweep or 0.0
        if spread and of_table > self._budget_rps * self._window_seconds:
            log.warning(
                "budget too small for the population",
                why="sockets may stay silent for longer than REAPER_HEARTBEAT_INTERVAL_SECONDS",
                cure="raise REAPER_QUOTA_SHARE",
                calls=round(of_table),
                budget_rps=self._budget_rps,
                window_seconds=self._window_seconds,
            )

    def learn_ratio(self, report: Report | None, now: float) -> None:
        """Heartbeats become less frequent where there are too many for the messages.

        Not while sweeps fail (then there is no report), are cut short, or take too long.
        """
        before = self._heartbeats.interval_seconds
        is_punctual = report is not None and report.seconds <= self._interval_seconds
        changed = (
            self._heartbeats.learn(report, now)
            if report is not None and is_punctual
            else self._heartbeats.fall_back(now)
        )
        if changed:
            log.info(
                "heartbeat interval changed",
                by="REAPER_MAX_HEARTBEAT_RATIO",
                interval_seconds=round(self._heartbeats.interval_seconds, 1),
                before_seconds=round(before, 1),
                is_punctual=is_punctual,
            )
