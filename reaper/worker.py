"""Builds what a sweep needs from the settings, runs it, and turns what came of it into a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import boto3
import structlog
from botocore.exceptions import NoCredentialsError

from reaper.aws.connections import AccessDenied, ConnectionsTable, TableError
from reaper.aws.gateway import Gateway
from reaper.aws.http import HttpClient
from reaper.aws.messages import CloudWatchMessages, MessagesUnknown
from reaper.aws.scan import ParallelScan
from reaper.aws.session import ca_bundle, region_of
from reaper.aws.signing import Signer
from reaper.core.model import Endpoint
from reaper.core.pacing import spread_rate
from reaper.core.report import Progress, Report, Tally, make_report
from reaper.core.rows import RowReader, RowShape
from reaper.core.rules import SweepRules
from reaper.eviction import Audit, Evictor
from reaper.judgement import Judgement
from reaper.prober import Prober
from reaper.settings import Settings
from reaper.sweep import Sweep

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SweepResult:
    report: Report
    fault: Exception | None
    """What made evictions or heartbeats fail, if anything did."""


class Worker:
    """Sweeps one table, as often as it is told to."""

    def __init__(self, settings: Settings, audit: Audit, session: boto3.Session) -> None:
        """Raises NoCredentialsError when botocore's chain yields none."""
        self._settings = settings
        self._audit = audit
        endpoint = settings.endpoint(region_of(session))
        self.region = region_of(session) or (endpoint.region if endpoint else "")
        self.resolver = settings.endpoint_resolver(self.region)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        self.ca_file = ca_bundle(session)
        client = HttpClient(Signer(credentials), settings.probe_timeout_seconds, self.ca_file)
        self.gateway = Gateway(client, settings.heartbeat_payload)
        self.table = ConnectionsTable(settings.table_name, settings.table_index, self.region)
        self.messages = (
            CloudWatchMessages(session, self.region, settings.sweep_interval_seconds)
            if settings.message_source == "cloudwatch"
            else None
        )
        self._calls_last_time: int | None = None

    @property
    def budget_rps(self) -> float:
        return self._settings.budget_rps(self.region)

    def sweep(
        self,
        *,
        spread: bool,
        trust_endpoint: bool = False,
        is_stopping: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> SweepResult:
        """Run one sweep; ``spread`` paces its calls over the interval, else they go at the budget.

        Raises TableError when the table cannot be described or scanned, or does not bring what
        rows cannot be understood without.
        """
        settings = self._settings
        started, started_at = time.monotonic(), time.time()
        self.table.describe()
        shape = settings.row_shape(self.table.key_names, self.table.projected)
        require_projection(shape)
        tally = Tally(message_window_seconds=settings.sweep_interval_seconds)
        spread_seconds = settings.spread_window_seconds if spread else 0.0
        prober = Prober(
            self.gateway, self._first_rate(spread_seconds), settings.max_in_flight, time.monotonic
        )

        def show_progress() -> None:
            gone = sum(evidence.gone for evidence in judgement.evidence)
            on_progress(Progress(tally.scanned, self.table.row_estimate, prober.open, gone))

        evictor = Evictor(
            self.table,
            shape,
            self._audit,
            tally,
            time.time,
            dry_run=settings.dry_run,
            on_batch=show_progress,
        )
        judgement = Judgement(settings.breaker_limits(trust_endpoint), evictor, tally, is_stopping)
        sweep = Sweep(
            SweepRules(
                triage=settings.triage_rules(),
                confirm_delay_seconds=settings.confirm_delay_seconds,
                next_turn_at=started_at + settings.sweep_interval_seconds + spread_seconds,
                budget_rps=self.budget_rps,
                spread_seconds=spread_seconds,
                dry_run=settings.dry_run,
            ),
            ParallelScan(self.table, shape, settings.scan_segments, settings.scan_max_rcu),
            RowReader(shape, self.resolver),
            prober,
            judgement,
            tally,
            time.monotonic,
            time.time,
            is_stopping,
        )
        sweep.run(show_progress)
        if sweep.is_complete:
            self._calls_last_time = prober.calls
            if spread:
                self._warn_of_budget(prober.calls)
        self._warn_of_shape(tally)
        report = make_report(
            tally,
            judgement.evidence,
            hold_reason=judgement.hold_reason,
            dry_run=settings.dry_run,
            checks=prober.checks,
            api_calls=prober.calls,
            seconds=time.monotonic() - started,
            messages=None if is_stopping() else self._count_messages(judgement.endpoints, tally),
        )
        return SweepResult(report, evictor.fault or _heartbeat_fault(tally))

    def close(self) -> None:
        self.gateway.close()

    def _first_rate(self, spread_seconds: float) -> float:
        """A steady rate for as many calls as last time; the budget while that is not known."""
        if not spread_seconds or self._calls_last_time is None:
            return self.budget_rps
        return spread_rate(self._calls_last_time, spread_seconds, self.budget_rps)

    def _count_messages(self, endpoints: list[Endpoint], tally: Tally) -> int | None:
        if self._settings.message_source == "attribute":
            return round(tally.counted_messages)
        if self.messages is None:
            return None
        now = time.time()
        self.messages.record_heartbeats(now, tally.heartbeats)
        try:
            return self.messages.count(endpoints, now)
        except MessagesUnknown as error:
            log.warning("messages are not counted", why=str(error))
            return None

    def _warn_of_budget(self, calls: int) -> None:
        """Whether so many calls fit into the window in which rows are to get their turn."""
        window_seconds = self._settings.spread_window_seconds
        if calls > self.budget_rps * window_seconds:
            log.warning(
                "the budget is too small for the population, so sockets may stay silent for longer"
                " than REAPER_HEARTBEAT_INTERVAL_SECONDS: raise REAPER_QUOTA_SHARE",
                calls=calls,
                budget_rps=self.budget_rps,
                window_seconds=window_seconds,
            )

    def _warn_of_shape(self, tally: Tally) -> None:
        name = ".".join(self._settings.connection_id_attribute)
        if tally.malformed and tally.malformed == tally.scanned:
            log.error(
                "no row has a usable connection id: correct REAPER_CONNECTION_ID_ATTRIBUTE"
                " ('reaper check' shows what rows hold)",
                attribute=name,
                rows=tally.malformed,
            )
        elif tally.malformed:
            log.warning(
                "rows without a usable connection id are left alone",
                attribute=name,
                rows=tally.malformed,
            )


def require_projection(shape: RowShape) -> None:
    """Raise TableError where an index hides what tells connection rows, and whose they are."""
    if shape.missing:
        names = ", ".join(".".join(path) for path in shape.missing)
        raise TableError(
            f"the index of REAPER_TABLE_INDEX does not hold {names}: add it to the projection"
        )


def _heartbeat_fault(tally: Tally) -> AccessDenied | None:
    if tally.heartbeats_refused <= tally.heartbeats:
        return None
    return AccessDenied(
        f"the gateway refused {tally.heartbeats_refused} heartbeats: grant"
        " execute-api:ManageConnections for POST on @connections/*, or set"
        " REAPER_HEARTBEAT_MODE=off"
    )
