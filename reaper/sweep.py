"""One sweep: rows in, a report out. The only place where the core meets the outside.

scan ─▶ intake ── due ─▶ probes ─▶ prober ─▶ answers ── 410s ─▶ questioning ─▶ breaker ─▶ eviction
                           ▲                    │                  │     ▲
                           ├──── heartbeats ────┘                  │     │
                           └──── looks, witnesses, panels ─────────┴─ inquiry
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol

import structlog

from reaper import pongs, removal
from reaper.answers import Answers
from reaper.aws.errors import TableError
from reaper.breaker import Breaker
from reaper.closing import SocketCloser
from reaper.context import SweepContext
from reaper.core.model import Endpoint, Row
from reaper.core.report import Details, Progress, Report, make_report
from reaper.core.rows import RowReader
from reaper.core.shape import RowShape
from reaper.eviction import Audit, Evictor, Step
from reaper.inquiry import Inquiries
from reaper.intake import Intake, Scan
from reaper.pongs import Pongs
from reaper.prober import Gateway, Prober
from reaper.probes import Probes
from reaper.questioning import Questioning
from reaper.sharing import Connects, Sharing

log = structlog.get_logger()

MAX_NAP_SECONDS = 0.1
"""The loop looks at least this often whether it should stop."""

LAST_ANSWERS_SECONDS = 6.0
"""When a sweep ends early, what is in flight gets this long."""


class Table(removal.Table, pongs.Table, Protocol):
    """What a sweep changes."""


class Sweep:
    """Sees to it that every row of a table gets its turn."""

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
        connects: Connects | None = None,
    ) -> None:
        """``connects`` counts those of an API; None where nobody does."""
        self._context = context
        self._rules = rules = context.rules
        self._tally = context.tally
        self._memory = context.memory
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._portion = context.portion
        self._is_stopping = context.is_stopping
        self._on_progress = context.on_progress
        self._reader = reader
        self._scan = scan
        self._table = table
        self._prober = Prober(
            gateway, rules.first_rate_rps, rules.max_in_flight, context.clock, context.share
        )
        steps: list[Step] = [SocketCloser(self._prober, rules.budget_rps), *hooks]
        self._evictor = Evictor(context, table, shape, reader, audit, steps)
        self._probes = Probes(context, self._prober)
        self._pongs = Pongs(context, table, shape)
        self._sharing = Sharing(context, connects)
        self._intake = Intake(
            context, reader, scan, self._prober, self._probes, self._pongs, self._sharing
        )
        self._inquiries = Inquiries(context, self._probes, self._sharing, self._still_held)
        self._questioning = Questioning(context, self._probes, self._inquiries, self._sharing)
        self._breaker = Breaker(context, self._questioning, self._pongs, self._evictor)
        self._answers = Answers(
            context, reader, self._probes, self._questioning, self._inquiries, self._pongs
        )
        self.turn_calls = 0
        """Requests until every row had its turn; what came later was about suspects."""
        self.is_complete = False
        """Whether every row got its turn: the sweep was neither stopped nor cut short."""

    @property
    def fault(self) -> Exception | None:
        """What made evictions, heartbeats or pongs fail, if anything did."""
        return self._evictor.fault or self._pongs.fault or self._answers.fault

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self._memory.in_sweep)

    def progress(self, row_estimate: int) -> Progress:
        counts = [self._memory.endpoints[endpoint].counts for endpoint in self._memory.in_sweep]
        return Progress(
            self._tally.scanned,
            row_estimate,
            self._prober.open,
            sum(one.gone for one in counts),
            self._questioning.open_rows,
        )

    def report(self, *, seconds: float, messages: int | None) -> Report:
        return make_report(
            self._tally,
            [self._memory.endpoints[endpoint].counts for endpoint in self._memory.in_sweep],
            hold_reason=self._breaker.hold_reason,
            dry_run=self._rules.dry_run,
            is_complete=self.is_complete,
            pending=self._questioning.open_rows + self._questioning.overflow,
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
            turn_calls=self.turn_calls,
            heartbeat_interval_seconds=self._rules.triage.heartbeat_interval_seconds,
            segments=self._portion.segments,
            of=self._portion.of,
        )

    def run(self) -> None:
        """Sweep until every row had its turn, or until told to stop.

        Raises TableError when the table cannot be scanned.
        """
        self._started_at = self._clock()
        self._memory.begin_sweep()
        try:
            self._ask_all()
        finally:
            self._scan.stop()
            self._drain()
            is_of_table = self._context.share() == 1
            self._memory.end_sweep(is_complete=self.is_complete, is_of_table=is_of_table)
        self._answers.log_inconclusive()
        self._breaker.settle(is_complete=self.is_complete)

    def _ask_all(self) -> None:
        paced_until = self._started_at + self._rules.spread_seconds
        while not self._end():
            if self._is_stopping():
                log.info("stopping: in-flight requests complete, and the sweep ends")
                return
            if self._is_blind:
                log.error("the sweep is cut short: all answers were inconclusive")
                return
            if self._clock() >= paced_until:
                self._prober.set_rate(self._rules.budget_rps)
            self._give_up_blind_endpoints()
            took_page = self._intake.take_page()
            self._count_turn_calls()
            self._learn(0 if took_page else self._nap_seconds)
            self._pongs.collect()
            self._questioning.advance()
            self._breaker.evict_convicted(is_idle=self._prober.idle)
            self._on_progress()
        self.is_complete = not self._is_stopping()

    def _end(self) -> bool:
        """Whether nothing is left to be done. What only waits for others is looked at again."""
        if not self._scan.exhausted or not self._prober.idle or self._pongs.awaited:
            return False
        if self._probes.has_undecided:
            self._probes.decide()
            return False
        self._questioning.reconsider()
        is_busy = self._questioning.is_busy or not self._prober.idle
        if is_busy or self._has_time_for(self._questioning.next_look_at):
            return False
        self._portion.close()
        return self._scan.exhausted  # unless another segment came just before

    def _count_turn_calls(self) -> None:
        if not self._inquiries.is_everybody_asked:
            self.turn_calls = self._prober.calls
            is_asked = self._scan.exhausted and not self._prober.backlog
            self._inquiries.is_everybody_asked = is_asked

    def _has_time_for(self, moment: float) -> bool:
        return moment < inf and moment <= self._started_at + self._rules.question_seconds

    # Endpoints that tell nothing

    @property
    def _is_blind(self) -> bool:
        """Whether no endpoint tells anything: all was denied, throttled or unknown."""
        states = [self._memory.endpoints[endpoint] for endpoint in self._memory.in_sweep]
        asked = [state.counts for state in states if state.is_asked]
        return bool(asked) and all(counts.is_blind for counts in asked)

    def _give_up_blind_endpoints(self) -> None:
        """One that tells nothing is asked no more, so that it does not hold up others."""
        for endpoint in self._memory.in_sweep:
            if self._memory.endpoints[endpoint].counts.is_blind:
                for probe in self._prober.give_up(endpoint):
                    self._answers.leave_unasked(probe)

    def _still_held(self, rows: Sequence[Row]) -> set[str]:
        """The ids of those rows that the table still holds; all, if that cannot be told."""
        try:
            items = self._table.read([row.key for row in rows])
        except TableError as error:
            log.warning("rows of a panel cannot be read, and count as still there", why=str(error))
            return {row.connection_id for row in rows}
        return {row.connection_id for row in self._reader.read_page(items, self._wall_clock())}

    def _learn(self, wait_seconds: float) -> None:
        for answer in self._prober.poll(wait_seconds):
            self._answers.learn(answer)

    @property
    def _nap_seconds(self) -> float:
        """How long to wait at most for an answer, or for the moment of another look."""
        may_take_page = not self._scan.exhausted and not self._intake.is_full
        if self._prober.idle and not self._pongs.awaited and may_take_page:
            return 0.0
        until_next_look = self._questioning.next_look_at - self._clock()
        return max(0.0, min(MAX_NAP_SECONDS, until_next_look))

    def _drain(self) -> None:
        """Send nothing more; in-flight requests complete. After a whole sweep there are none."""
        give_up_at = self._clock() + LAST_ANSWERS_SECONDS
        self._prober.abandon()
        while not self._prober.idle and self._clock() < give_up_at:
            self._learn(MAX_NAP_SECONDS)
            self._prober.abandon()
