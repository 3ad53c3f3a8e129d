"""One sweep: rows in, verdicts out. The only place where the core meets the outside.

scan ── rows ─▶ triage ── due ─▶ questions ─▶ prober ── answers ─▶ verdicts ─▶ judgement ─▶ eviction
                                                           heartbeats ─▶ pongs ─┘
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from reaper import pongs, removal
from reaper.aws.wire import Page
from reaper.closing import SocketCloser
from reaper.context import SweepContext
from reaper.core.model import Endpoint, Reason, Row, Zombie
from reaper.core.report import Details, Progress, Report, make_report
from reaper.core.rows import RowReader
from reaper.core.shape import RowShape
from reaper.core.triage import Triage, triage
from reaper.eviction import Audit, Evictor, Step
from reaper.judgement import Judgement
from reaper.pongs import Pongs
from reaper.prober import Gateway, Prober
from reaper.questions import Questions
from reaper.verdicts import Verdicts, evidence_of_age

log = structlog.get_logger()

MOST_BACKLOG = 500
"""Due rows that may wait for the pace before another page is taken from the scan."""

MOST_WAITING = 10_000
"""Zombies, suspects that wait for their second question, and clients whose pong is awaited, that
may be held in memory."""

LONGEST_NAP_SECONDS = 0.1
"""The loop looks at least this often whether it should stop."""

LAST_ANSWERS_SECONDS = 6.0
"""When a sweep ends early, what is in flight gets this long."""


class Scan(Protocol):
    """Pages of the table, as they come."""

    @property
    def exhausted(self) -> bool: ...
    def next_page(self, wait_seconds: float) -> Page | None: ...
    def stop(self) -> None: ...


class Table(removal.Table, pongs.Table, Protocol):
    """What a sweep changes."""


class Sweep:
    """Sees to it that every row of a table gets its verdict."""

    def __init__(
        self,
        context: SweepContext,
        shape: RowShape,
        reader: RowReader,
        scan: Scan,
        gateway: Gateway,
        table: Table,
        audit: Audit,
        hooks: Sequence[Step],
    ) -> None:
        self._rules = rules = context.rules
        self._tally = context.tally
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._portion = context.portion
        self._is_stopping = context.is_stopping
        self._on_progress = context.on_progress
        self._reader = reader
        self._scan = scan
        self._prober = Prober(
            gateway, rules.first_rate_rps, rules.max_in_flight, context.clock, context.share
        )
        steps: list[Step] = [SocketCloser(self._prober, rules.budget_rps), *hooks]
        self._evictor = Evictor(context, table, shape, reader, audit, steps)
        self._judgement = Judgement(context, self._evictor)
        self._pongs = Pongs(context, table, shape, self._judgement)
        self._questions = Questions(context, self._prober)
        self._verdicts = Verdicts(context, self._questions, self._judgement, self._pongs)
        self.is_complete = False
        """Whether every row got its turn: the sweep was neither stopped nor cut short."""

    @property
    def fault(self) -> Exception | None:
        """What made evictions, heartbeats or pongs fail, if anything did."""
        return self._evictor.fault or self._pongs.fault or self._verdicts.fault

    @property
    def endpoints(self) -> list[Endpoint]:
        return self._judgement.endpoints

    def progress(self, row_estimate: int) -> Progress:
        gone = sum(evidence.gone for evidence in self._judgement.evidence)
        return Progress(self._tally.scanned, row_estimate, self._prober.open, gone)

    def report(self, *, seconds: float, messages: int | None) -> Report:
        return make_report(
            self._tally,
            self._judgement.evidence,
            hold_reason=self._judgement.hold_reason,
            dry_run=self._rules.dry_run,
            checks=self._prober.checks,
            api_calls=self._prober.calls,
            seconds=seconds,
            messages=messages,
        )

    @property
    def details(self) -> Details:
        return Details(
            evicted_by_reason=self._tally.evicted_by_reason,
            latencies=self._prober.latencies,
            slowdowns=self._prober.slowdowns,
            heartbeat_interval_seconds=self._rules.triage.heartbeat_interval_seconds,
            segments=self._portion.segments,
            of=self._portion.of,
        )

    def run(self) -> None:
        """Sweep until every row has its verdict, or until told to stop.

        Raises TableError when the table cannot be scanned.
        """
        try:
            self._ask_all()
        finally:
            self._scan.stop()
            self._drain()
        self._verdicts.log_untold()
        if self.is_complete:
            self._pongs.convict()
        self._judgement.settle()

    def _ask_all(self) -> None:
        paced_until = self._clock() + self._rules.spread_seconds
        while not self._is_over():
            if self._is_stopping():
                log.info("stopping: the sweep ends with what is in flight")
                return
            if self._judgement.is_blind:
                log.error("the sweep is cut short: no answer told anything")
                return
            if self._clock() >= paced_until:
                self._prober.set_rate(self._rules.budget_rps)
            self._give_up_the_blind()
            if self._is_full and self._prober.idle and not self._call_witnesses():
                self._judgement.settle()
            took_page = not self._is_full and self._admit()
            self._learn(0 if took_page else LONGEST_NAP_SECONDS)
            self._pongs.collect()
            self._on_progress()
        self.is_complete = True

    def _is_over(self) -> bool:
        is_answered = self._prober.idle and not self._pongs.awaited
        if not self._scan.exhausted or not is_answered or self._call_witnesses():
            return False
        self._portion.close()
        return self._scan.exhausted  # unless another segment came just before

    def _give_up_the_blind(self) -> None:
        """An endpoint that tells nothing is asked no more, so that it does not hold up others."""
        for endpoint, site in self._judgement.blind:
            for probe in self._prober.give_up(endpoint):
                self._verdicts.leave_unasked(probe, site)

    def _call_witnesses(self) -> bool:
        """Whether there is somebody left to ask before the evidence is judged."""
        witnesses = self._judgement.call_witnesses()
        for endpoint, row in witnesses:
            self._questions.call_witness(endpoint, row)
        return bool(witnesses)

    @property
    def _is_full(self) -> bool:
        """Whether so many rows wait that all open questions get their answers first.

        The breaker judges on whole evidence, never on the answers that happened to come soonest.
        """
        waiting = self._judgement.waiting + self._prober.postponed + self._pongs.awaited
        return waiting >= MOST_WAITING

    def _admit(self) -> bool:
        """Take a page if the prober keeps up. False when there was none to take."""
        if self._prober.backlog >= MOST_BACKLOG or self._scan.exhausted:
            return False
        page = self._scan.next_page(0.02 if self._prober.idle else 0)
        if page is None:
            return False
        items = page.items()
        rows = self._reader.read_page(items, self._wall_clock())
        self._tally.passed_over += len(items) - len(rows)
        self._triage(rows)
        return True

    def _triage(self, rows: Iterable[Row]) -> None:
        now = self._wall_clock()
        cutoffs = self._rules.cutoffs(now)
        sorted_rows: defaultdict[Triage, list[Row]] = defaultdict(list)
        for row in rows:
            sorted_rows[triage(row, cutoffs)].append(row)
        self._tally.count_triage(sorted_rows)
        left_alone = [*sorted_rows[Triage.NEWBORN], *sorted_rows[Triage.FRESH]]
        self._tally.count_messages(left_alone, now)
        self._pongs.hear_of(left_alone)
        self._judgement.remember_witnesses(left_alone)
        for row in sorted_rows[Triage.EXPIRED]:
            self._take_expired(row)
        self._ask(sorted_rows[Triage.DUE])

    def _ask(self, rows: Iterable[Row]) -> None:
        """Once for all rows of a page that hold the same id."""
        due: dict[tuple[Endpoint, str], list[Row]] = {}
        for row in rows:
            assert row.endpoint is not None
            due.setdefault((row.endpoint, row.connection_id), []).append(row)
        for (endpoint, connection_id), same in due.items():
            self._judgement.site(endpoint).is_asked = True
            self._questions.ask_due(endpoint, connection_id, same)

    def _take_expired(self, row: Row) -> None:
        """Dead by age, unless the sample has shown that age proves nothing in this table."""
        endpoint = row.endpoint
        assert endpoint is not None
        site = self._judgement.site(endpoint)
        if site.evidence.expired_alive:
            self._tally.held += 1
            self._questions.keep_awake(endpoint, row)
            return
        site.is_asked = True
        if site.takes_sample():
            self._questions.verify_age(endpoint, row)
        else:
            evidence = evidence_of_age(row, self._wall_clock())
            site.expired.append(Zombie(row, Reason.EXPIRED, evidence))

    def _learn(self, wait_seconds: float) -> None:
        is_waiting = self._pongs.awaited or not self._prober.idle
        for answer in self._prober.poll(wait_seconds if is_waiting else 0):
            self._verdicts.learn(answer)

    def _drain(self) -> None:
        """Send nothing more; what is in flight comes home. After a whole sweep that is nothing."""
        give_up_at = self._clock() + LAST_ANSWERS_SECONDS
        self._prober.abandon()
        while not self._prober.idle and self._clock() < give_up_at:
            self._learn(LONGEST_NAP_SECONDS)
            self._prober.abandon()
