"""One sweep: rows in, a report out. Here the stages are joined, and kept going until all is done.

scan ─▶ triage ── due ─▶ probes ─▶ prober ─▶ answers ── 410s ─▶ suspects ─▶ breaker ─▶ eviction
                           ▲                    │                  │    ▲
                           ├──── heartbeats ────┘                  │    │
                           └────────── looks again ────────────────┴─ witnesses
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import structlog

from reaper.core.evidence.breaker import Counts
from reaper.core.model import Purpose
from reaper.core.report.report import Details, Progress, Report, make_report
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.reader import RowReader
from reaper.core.rows.shape import RowShape
from reaper.sweep.answers import Answers
from reaper.sweep.breaker import Breaker
from reaper.sweep.context import SweepContext
from reaper.sweep.eviction.close_sockets import SocketCloser
from reaper.sweep.eviction.evictor import Evictor, hook_step
from reaper.sweep.evidence.shared_table import SharedTable
from reaper.sweep.evidence.suspects import Suspects
from reaper.sweep.evidence.witnesses import WitnessCalls
from reaper.sweep.pongs import Pongs
from reaper.sweep.ports import Outside, Scan
from reaper.sweep.prober import Prober
from reaper.sweep.probes import Probes
from reaper.sweep.triage import Triage

log = structlog.get_logger()

MAX_NAP_SECONDS = 0.1
"""The loop looks at least this often whether it should stop."""

BESIDE_NAP_SECONDS = 0.002
"""And so often whether work that is done beside it is done."""

PROGRESS_SECONDS = 0.25
"""So often it tells how far it has come, at most."""

HOOK_GRACE_SECONDS = 30.0
"""So long hooks that are under way when the sweep's time is over may still answer: one that is cut
may remove its row all the same, and nobody would count it."""

DRAIN_SECONDS = 6.0
"""When a sweep ends early, in-flight requests get this long to complete."""


class Sweep:
    """Sees to it that every row of a table gets its turn."""

    def __init__(
        self,
        context: SweepContext,
        shape: RowShape,
        reader: RowReader,
        scan: Scan,
        outside: Outside,
    ) -> None:
        self._context = context
        self._rules = rules = context.rules
        self._memory = context.memory
        self._clock = context.clock
        self._scan = scan
        self._table = table = outside.table
        self._prober = prober = Prober(
            outside.gateway,
            context.memory.rate_below(rules.first_rate_rps, context.clock()),
            rules.max_in_flight,
            context.clock,
            context.share,
        )
        self._probes = probes = Probes(context, prober)
        self._pongs = pongs = Pongs(context, table, shape, outside.beside)
        shared_table = SharedTable(context, outside.connects)
        self._triage = Triage(context, reader, scan, prober, probes, pongs, shared_table)
        self._witness_calls = witness_calls = WitnessCalls(
            context, probes, shared_table, table, reader, outside.beside
        )
        self._suspects = Suspects(context, probes, witness_calls, shared_table)
        self._answers = Answers(context, reader, probes, self._suspects, witness_calls, pongs)
        beside = outside.beside
        self._closer = SocketCloser(prober)
        hooks = [hook_step(hook, beside) for hook in outside.hooks]
        self._evictor = Evictor(
            context, table, shape, reader, outside.audit, beside, self._closer, hooks
        )
        self._breaker = Breaker(context, self._suspects, pongs, self._evictor)
        self._is_everybody_asked = False
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

    @property
    def progress(self) -> Progress:
        next_look_seconds = self._suspects.next_look_at - self._clock()
        return Progress(
            scanned=self._context.tally.scanned,
            row_estimate=round(self._table.row_estimate * self._context.share()),
            waiting=self._prober.open,
            gone=sum(counts.gone for counts in self._counts),
            suspects=self._suspects.open_rows,
            next_look_seconds=None if next_look_seconds == inf else max(0.0, next_look_seconds),
            is_evicting=self._evictor.is_busy,
            calls=self._prober.calls,
            mean_latency_seconds=self._prober.latencies.mean_seconds,
        )

    def report(self, *, seconds: float, messages: int | None) -> Report:
        return make_report(
            self._context.tally,
            self._counts,
            hold_reason=self._breaker.hold_reason,
            dry_run=self._rules.dry_run,
            is_complete=self.is_complete,
            pending=self._suspects.open_rows + self._suspects.overflow,
            checks=self._prober.checks,
            api_calls=self._prober.calls,
            seconds=seconds,
            messages=messages,
        )

    @property
    def details(self) -> Details:
        return Details(
            evicted_by_reason=self._context.tally.evicted_by_reason,
            latencies=self._prober.latencies,
            slowdowns=self._prober.slowdowns,
            turn_calls=self.turn_calls,
            heartbeat_interval_seconds=self._rules.triage.heartbeat_interval_seconds,
            segments=self._context.portion.segments,
            total_segments=self._context.portion.total_segments,
            why_held=self._breaker.why_held,
            why_unheard=self._breaker.why_unheard,
        )

    def run(self, on_progress: Callable[[Progress], None] = lambda _: None) -> None:
        """Sweep until every row had its turn, or until told to stop.

        Raises TableError when the table cannot be scanned.
        """
        self._started_at = self._clock()
        self._memory.begin_sweep()
        try:
            self._ask_all(on_progress)
        finally:
            self._scan.stop()
            if not self.is_complete:
                self._drain()
            is_of_table = self._context.share() == 1
            self._memory.end_sweep(is_complete=self.is_complete, is_of_table=is_of_table)
        self._answers.log_inconclusive()
        self._breaker.settle(is_complete=self.is_complete)
        self._finish_evictions(on_progress)
        self._evictor.conclude()

    def _ask_all(self, on_progress: Callable[[Progress], None]) -> None:
        paced_until = self._started_at + self._rules.spread_seconds
        tell_at = self._started_at
        while not self._finish():
            if self._context.is_stopping():
                log.info("sweep stopping", why="told to stop; in-flight requests complete")
                return
            if self._is_unresponsive:
                log.error("sweep cut short", why="all answers were inconclusive")
                return
            if self._clock() >= paced_until:
                self._prober.set_rate(self._rules.budget_rps)
            self._give_up_unresponsive_endpoints()
            self._scan.advance()
            is_reading = self._triage.advance()
            self._note_turns()
            self._take_answers(0 if is_reading else self._nap_seconds)
            self._pongs.advance()
            self._suspects.advance()
            self._breaker.evict_convicted(is_idle=self._prober.idle)
            self._evictor.advance()
            if self._clock() >= tell_at:
                on_progress(self.progress)
                tell_at = self._clock() + PROGRESS_SECONDS
        self.is_complete = not self._context.is_stopping()

    def _finish(self) -> bool:
        """Decide what only waited for everything else. Whether nothing is left to be done."""
        if self._triage.has_more or not self._prober.idle:
            return False
        if self._is_time_over and self._is_awaiting_work:
            return self._close()  # what hangs must not keep the next sweep from its heartbeats
        if self._pongs.awaited or self._evictor.is_busy:
            return False
        if self._probes.has_undecided:
            self._probes.decide()
            return False
        self._suspects.reconsider()
        is_busy = self._suspects.is_busy or not self._prober.idle
        if is_busy or self._has_time_for(self._suspects.next_look_at):
            return False
        return self._close()

    def _close(self) -> bool:
        """Whether that is all, or another segment came just before."""
        self._context.portion.close()
        return not self._triage.has_more

    def _note_turns(self) -> None:
        """Count the requests until every row had its turn, and say when that is so."""
        if not self._is_everybody_asked:
            self.turn_calls = self._prober.calls
            self._is_everybody_asked = not (self._triage.has_more or self._prober.backlog)
            self._witness_calls.expect_more_rows(more=not self._is_everybody_asked)

    def _finish_evictions(self, on_progress: Callable[[Progress], None]) -> None:
        """Wait for the last of them, but neither beyond the sweep's time nor for ever."""
        cut_at = give_up_at = inf
        while self._evictor.is_busy and self._clock() < give_up_at:
            if give_up_at == inf and (self._is_time_over or self._context.is_stopping()):
                self._evictor.end()
                cut_at = self._clock() + HOOK_GRACE_SECONDS
                give_up_at = cut_at + DRAIN_SECONDS
            if self._clock() >= cut_at:
                self._evictor.cut()
            self._take_answers(self._nap_seconds)
            self._evictor.advance()
            on_progress(self.progress)
        self._evictor.abandon()

    @property
    def _is_time_over(self) -> bool:
        return self._clock() > self._ends_at

    def _has_time_for(self, moment: float) -> bool:
        return moment < inf and moment <= self._ends_at

    @property
    def _ends_at(self) -> float:
        return self._started_at + self._rules.question_seconds

    @property
    def _counts(self) -> list[Counts]:
        return [self._memory.endpoints[endpoint].counts for endpoint in self._memory.in_sweep]

    @property
    def _is_unresponsive(self) -> bool:
        """Whether every endpoint is: all was denied, throttled or unknown."""
        states = [self._memory.endpoints[endpoint] for endpoint in self._memory.in_sweep]
        asked = [state.counts for state in states if state.is_asked]
        return bool(asked) and all(counts.is_unresponsive for counts in asked)

    def _give_up_unresponsive_endpoints(self) -> None:
        """Ask them no more, so that they do not hold up others."""
        for endpoint in self._memory.in_sweep:
            if self._memory.endpoints[endpoint].counts.is_unresponsive:
                for probe in self._prober.give_up(endpoint):
                    self._answers.leave_unasked(probe)

    def _take_answers(self, wait_seconds: float) -> None:
        close = Purpose.CLOSE
        for answer in self._prober.poll(wait_seconds):
            if answer.probe.purpose is close:
                self._closer.learn(answer)
            else:
                self._answers.learn(answer)

    @property
    def _nap_seconds(self) -> float:
        """How long to wait at most for an answer, or for the moment of another look."""
        may_read = self._triage.has_more and not self._triage.is_full
        if self._prober.idle and not self._pongs.awaited and may_read:
            return 0.0
        longest = BESIDE_NAP_SECONDS if self._is_awaiting_work else MAX_NAP_SECONDS
        until_next_look = self._suspects.next_look_at - self._clock()
        return max(0.0, min(longest, until_next_look))

    @property
    def _is_awaiting_work(self) -> bool:
        """Whether something that is done beside the loop may be done at any moment."""
        return self._evictor.is_busy or self._pongs.is_reading or self._suspects.is_reading

    def _drain(self) -> None:
        """Where it ends early: send nothing more; in-flight requests complete.

        Evictions that are begun are brought to their end, and no more begin.
        """
        cut_at = self._clock() + DRAIN_SECONDS / 2
        give_up_at = self._clock() + DRAIN_SECONDS
        self._prober.abandon()
        self._evictor.end()
        while self._is_draining and self._clock() < give_up_at:
            if self._clock() >= cut_at:
                self._evictor.cut()
            self._take_answers(BESIDE_NAP_SECONDS if self._evictor.is_busy else MAX_NAP_SECONDS)
            self._prober.abandon()
            self._evictor.advance()
        self._evictor.abandon()

    @property
    def _is_draining(self) -> bool:
        return not self._prober.idle or self._evictor.is_busy
