"""A worker: one sweep after another, and what is remembered from each for the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf

from reaper.config.rules import budget_rps, endpoint_resolver, ratio_limit, row_shape, sweep_rules
from reaper.config.settings import Settings
from reaper.core.errors import TableError
from reaper.core.evidence.memory import Memory
from reaper.core.pacing.rate import QUESTION_FRACTION
from reaper.core.portion import Portion, WholeTable, share_of
from reaper.core.report.report import Progress, SweepResult
from reaper.core.report.tally import Tally
from reaper.core.rows.items import spelled
from reaper.core.rows.reader import RowReader
from reaper.core.sweep_rules import EvictAction
from reaper.sweep.context import SweepContext
from reaper.sweep.messages import MessageCounter
from reaper.sweep.pace import SweepPace
from reaper.sweep.ports import Outside
from reaper.sweep.setting_hints import Hints
from reaper.sweep.sweep import Sweep

MEMORY_INTERVALS = 3
"""A suspect that was not asked in so many intervals is one no more: its row has changed or gone."""


class Worker:
    """Sweeps one table, as often as it is told to."""

    def __init__(self, settings: Settings, region: str, outside: Outside) -> None:
        self._settings = settings
        self._outside = outside
        self._resolver = endpoint_resolver(settings, region)
        self.budget_rps = budget_rps(settings, region)
        """Requests a second to the management API, at most."""
        self.interval_seconds = settings.sweep_interval_seconds
        self._pace = SweepPace(
            ratio_limit(settings),
            self.budget_rps,
            settings.sweep_interval_seconds,
            settings.spread_window_seconds,
            time.monotonic(),
        )
        self._counter = MessageCounter(
            outside.messages, by_rows=settings.message_source == "attribute"
        )
        self._memory = Memory()
        self._hints = Hints(
            spelled(settings.connection_id_attribute),
            may_lack_ids=settings.evict_action is EvictAction.CLEAR,
            holds_many=settings.holds_many,
            offset_seconds=settings.connected_at_offset_seconds,
            time_zone=settings.time_zone,
        )

    def sweep(
        self,
        portion: Portion | None = None,
        *,
        spread: bool,
        trust_endpoint: bool = False,
        is_stopping: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> SweepResult:
        """Run one sweep of a portion, or of the whole table.

        ``spread`` paces its calls over the interval, else they go at the budget.

        Raises TableError when the table cannot be described or scanned, or does not bring what
        rows cannot be understood without.
        """
        started = time.monotonic()
        portion = portion or WholeTable(self._settings.scan_segments, time.time())
        tally = Tally(message_window_seconds=self._settings.sweep_interval_seconds)

        def is_over() -> bool:
            return is_stopping() or portion.is_lost

        def note(progress: Progress) -> None:
            self._counter.note(tally, portion, time.time())
            on_progress(progress)

        try:
            sweep = self._prepare(portion, tally, spread, trust_endpoint, is_over)
            sweep.run(note)
        except TableError:
            self._pace.learn_ratio(None, time.monotonic())
            raise
        finally:
            self._counter.sweep_over(tally, portion)
        return self._conclude(sweep, portion, tally, started, spread=spread, is_over=is_over())

    def _prepare(
        self,
        portion: Portion,
        tally: Tally,
        spread: bool,
        trust_endpoint: bool,
        is_stopping: Callable[[], bool],
    ) -> Sweep:
        """Look at the table, and make a sweep by the rules that hold now."""
        settings, table = self._settings, self._outside.table
        shape = row_shape(settings, table.describe())
        window_seconds = settings.spread_window_seconds if spread else 0.0
        window_ends_at = portion.started_at + window_seconds
        spread_seconds = min(window_seconds, max(0.0, window_ends_at - time.time()))
        rules = sweep_rules(
            settings,
            heartbeat_interval_seconds=self._pace.heartbeat_interval_seconds,
            next_turn_at=window_ends_at + settings.sweep_interval_seconds,
            budget_rps=self.budget_rps,
            first_rate_rps=self._pace.first_rate(spread_seconds),
            spread_seconds=spread_seconds,
            question_seconds=self._question_seconds(portion) if spread else inf,
            trust_endpoint=trust_endpoint,
        )
        context = SweepContext(
            rules,
            tally,
            time.monotonic,
            time.time,
            is_stopping,
            portion,
            self._memory,
        )
        scan = table.scan(shape, portion, settings.scan_max_rcu)
        return Sweep(context, shape, RowReader(shape, self._resolver), scan, self._outside)

    def _question_seconds(self, portion: Portion) -> float:
        """How long suspects may be asked again: until just before the next sweep."""
        interval_seconds = self._settings.sweep_interval_seconds
        ends_at = portion.started_at + QUESTION_FRACTION * interval_seconds
        return min(QUESTION_FRACTION * interval_seconds, max(0.0, ends_at - time.time()))

    def _conclude(
        self,
        sweep: Sweep,
        portion: Portion,
        tally: Tally,
        started: float,
        *,
        spread: bool,
        is_over: bool,
    ) -> SweepResult:
        """Report what came of a sweep, and remember what the next one needs."""
        messages = (
            None if is_over else self._counter.count(sweep.endpoints, tally, portion, time.time())
        )
        report = sweep.report(seconds=time.monotonic() - started, messages=messages)
        if sweep.is_complete:
            self._pace.learn_calls(portion, sweep.turn_calls, spread=spread)
            self._hints.tell_of_release(report.hold_reason)
            self._memory.suspects.forget_unasked_since(
                started - MEMORY_INTERVALS * self._settings.sweep_interval_seconds
            )
        if spread and not is_over:
            self._pace.learn_ratio(report if sweep.is_complete else None, time.monotonic())
        self._hints.tell_of_times(self._memory.calibration.offset, time.time())
        is_repeated = not sweep.is_complete and share_of(portion) < 1
        details = replace(sweep.details, is_repeated=is_repeated)
        return SweepResult(report, details, sweep.fault, self._hints.tell_of_ids(tally))
