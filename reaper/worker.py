"""Builds what a sweep needs from the settings, runs it, and turns what came of it into a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf

import boto3
import structlog
from botocore.exceptions import NoCredentialsError

from reaper.aws.connections import ConnectionsTable
from reaper.aws.dynamodb import READ_TIMEOUT_SECONDS
from reaper.aws.errors import TableError
from reaper.aws.gateway import Gateway
from reaper.aws.hooks import EventBusHook, Hook, LambdaHook
from reaper.aws.http import HttpClient
from reaper.aws.messages import CloudWatchMessages
from reaper.aws.scan import ParallelScan
from reaper.aws.session import ca_bundle, region_of
from reaper.aws.signing import Signer
from reaper.context import SweepContext
from reaper.core.breaker import HoldReason
from reaper.core.calibration import Offset, cure_of
from reaper.core.memory import Memory
from reaper.core.pacing import QUESTION_FRACTION, spread_rate
from reaper.core.portion import Extrapolation, Portion, WholeTable, share_of
from reaper.core.ratio import HeartbeatPace
from reaper.core.report import Progress, Report, SweepResult, Tally, not_understood
from reaper.core.rows import RowReader
from reaper.core.rules import EvictAction
from reaper.counting import MessageCounter
from reaper.eviction import Audit
from reaper.rulebook import ratio_limit, row_shape, sweep_rules
from reaper.settings import Settings
from reaper.sweep import Sweep

log = structlog.get_logger()

MEMORY_INTERVALS = 3
"""A suspect that was not asked in so many intervals is one no more: its row has changed or gone."""


class Worker:
    """Sweeps one table, as often as it is told to."""

    def __init__(self, settings: Settings, audit: Audit, session: boto3.Session) -> None:
        """Raises NoCredentialsError when botocore's chain yields none."""
        self._settings = settings
        self.session = session
        self._audit = audit
        endpoint = settings.endpoint(region_of(session))
        self.region = region_of(session) or (endpoint.region if endpoint else "")
        self.resolver = settings.endpoint_resolver(self.region)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        self.ca_file = ca_bundle(session)
        client = HttpClient(
            Signer(credentials, "execute-api"), settings.probe_timeout_seconds, self.ca_file
        )
        self.gateway = Gateway(client, settings.heartbeat_payload)
        self.table = ConnectionsTable(
            settings.table_name,
            settings.table_index,
            self.region,
            HttpClient(Signer(credentials, "dynamodb"), READ_TIMEOUT_SECONDS, self.ca_file),
        )
        self.messages = (
            CloudWatchMessages(session, self.region, settings.sweep_interval_seconds)
            if settings.message_source == "cloudwatch"
            else None
        )
        self.hooks = _hooks(settings, session, self.region)
        self._pace = HeartbeatPace(ratio_limit(settings), time.monotonic())
        by_rows = settings.message_source == "attribute"
        self.counter = MessageCounter(self.messages, by_rows=by_rows)
        self._calls = Extrapolation()
        self._memory = Memory()
        self._told_offset: Offset | None = None
        self._held_last_time: HoldReason | None = None

    @property
    def budget_rps(self) -> float:
        return self._settings.budget_rps(self.region)

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

        def is_over() -> bool:
            return is_stopping() or portion.is_lost

        tally = Tally(message_window_seconds=self._settings.sweep_interval_seconds)
        try:
            sweep = self._prepare(portion, tally, spread, trust_endpoint, is_over, on_progress)
            sweep.run()
        except TableError:
            self._set_pace(None)
            raise
        finally:
            self.counter.sweep_over(tally, portion)
        messages = (
            None if is_over() else self.counter.count(sweep.endpoints, tally, portion, time.time())
        )
        report = sweep.report(seconds=time.monotonic() - started, messages=messages)
        if sweep.is_complete:
            self._calls.add(portion.started_at, sweep.turn_calls, share_of(portion))
            if spread:
                self._warn_of_budget(self._calls.of_sweep or 0.0)
        if spread and not is_over():
            self._set_pace(report if sweep.is_complete else None)
        if sweep.is_complete:
            self._tell_of_the_end_of_a_hold(report.hold_reason)
            self._memory.suspects.forget_unasked_since(
                started - MEMORY_INTERVALS * self._settings.sweep_interval_seconds
            )
        self._tell_of_offset()
        details = sweep.details
        if not sweep.is_complete and details.share < 1:
            details = replace(details, segments=())  # another sweep will count them
        return SweepResult(report, details, sweep.fault, self._tell_of_shape(tally))

    def close(self) -> None:
        self.gateway.close()
        self.table.close()

    def _prepare(
        self,
        portion: Portion,
        tally: Tally,
        spread: bool,
        trust_endpoint: bool,
        is_stopping: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> Sweep:
        """Look at the table, and build a sweep by the rules that hold now."""
        self.table.describe()
        shape = row_shape(self._settings, self.table)
        window_seconds = self._settings.spread_window_seconds if spread else 0.0
        window_ends_at = portion.started_at + window_seconds
        spread_seconds = min(window_seconds, max(0.0, window_ends_at - time.time()))
        rules = sweep_rules(
            self._settings,
            heartbeat_interval_seconds=self._pace.interval_seconds,
            next_turn_at=window_ends_at + self._settings.sweep_interval_seconds,
            budget_rps=self.budget_rps,
            first_rate_rps=self._first_rate(spread_seconds),
            spread_seconds=spread_seconds,
            question_seconds=self._question_seconds(portion) if spread else inf,
            trust_endpoint=trust_endpoint,
        )
        sweep = Sweep(
            SweepContext(
                rules,
                tally,
                time.monotonic,
                time.time,
                is_stopping,
                lambda: self._move(sweep, tally, portion, on_progress),
                portion,
                self._memory,
            ),
            shape,
            RowReader(shape, self.resolver),
            ParallelScan(self.table, shape, portion, self._settings.scan_max_rcu),
            self.gateway,
            self.table,
            self._audit,
            self.hooks,
            self.messages,
        )
        return sweep

    def _question_seconds(self, portion: Portion) -> float:
        """How long suspects may be asked again: until just before the next sweep."""
        interval_seconds = self._settings.sweep_interval_seconds
        ends_at = portion.started_at + QUESTION_FRACTION * interval_seconds
        return min(QUESTION_FRACTION * interval_seconds, max(0.0, ends_at - time.time()))

    def _move(
        self, sweep: Sweep, tally: Tally, portion: Portion, tell: Callable[[Progress], None]
    ) -> None:
        """The sweep has come a step further."""
        self.counter.note(tally, portion, time.time())
        tell(sweep.progress(round(self.table.row_estimate * share_of(portion))))

    def _set_pace(self, report: Report | None) -> None:
        """Heartbeats become less frequent where there are too many for the messages.

        Not while sweeps fail (then there is no report), are cut short, or take too long.
        """
        before, now = self._pace.interval_seconds, time.monotonic()
        is_punctual = report is not None and report.seconds <= self._settings.sweep_interval_seconds
        changed = (
            self._pace.learn(report, now)
            if report is not None and is_punctual
            else self._pace.fall_back(now)
        )
        if changed:
            log.info(
                "REAPER_MAX_HEARTBEAT_RATIO changes the heartbeat interval",
                interval_seconds=round(self._pace.interval_seconds, 1),
                before_seconds=round(before, 1),
                is_punctual=is_punctual,
            )

    def _first_rate(self, spread_seconds: float) -> float:
        """A steady rate for as many calls as last time; the budget while that is not known."""
        calls = self._calls.of_sweep
        if not spread_seconds or calls is None:
            return self.budget_rps
        return spread_rate(calls, spread_seconds, self.budget_rps)

    def _tell_of_the_end_of_a_hold(self, hold_reason: HoldReason | None) -> None:
        if self._held_last_time is not None and hold_reason is None:
            log.info("evictions are no longer held", held_for=self._held_last_time.value)
        self._held_last_time = hold_reason

    def _warn_of_budget(self, calls: float) -> None:
        """Whether so many calls fit into the window in which rows are to get their turn."""
        window_seconds = self._settings.spread_window_seconds
        if calls > self.budget_rps * window_seconds:
            log.warning(
                "the budget is too small for the population, so sockets may stay silent for longer"
                " than REAPER_HEARTBEAT_INTERVAL_SECONDS: raise REAPER_QUOTA_SHARE",
                calls=round(calls),
                budget_rps=self.budget_rps,
                window_seconds=window_seconds,
            )

    def _tell_of_offset(self) -> None:
        """Living rows agree with each other, and not with the gateway, on when they connected."""
        offset = self._memory.calibration.offset
        if offset is None or offset == self._told_offset:
            return
        self._told_offset = offset
        settings = self._settings
        log.warning(
            "living rows are all off by the same from the gateway's time of connection",
            rows=offset.rows,
            seconds=offset.seconds,
            cure=cure_of(
                offset, settings.connected_at_offset_seconds, settings.time_zone, time.time()
            ),
        )

    def _tell_of_shape(self, tally: Tally) -> str | None:
        """What rows the sweep did not understand. Returns why it understood none, if it did not."""
        name = ".".join(self._settings.connection_id_attribute)
        clears = self._settings.evict_action is EvictAction.CLEAR
        why = not_understood(tally, name, may_lack_ids=clears)
        if why is not None:
            log.warning("the sweep understood no row", why=why)
        elif tally.malformed and not clears:
            log.warning(
                "rows without a usable connection id are left alone",
                attribute=name,
                rows=tally.malformed,
            )
        return why


def _hooks(settings: Settings, session: boto3.Session, region: str) -> list[Hook]:
    hooks: list[Hook] = []
    if settings.on_evict_lambda:
        hooks.append(LambdaHook(session, region, settings.on_evict_lambda))
    if settings.on_evict_event_bus:
        hooks.append(
            EventBusHook(session, region, settings.on_evict_event_bus, settings.table_name)
        )
    return hooks
