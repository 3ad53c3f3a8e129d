"""One sweep: rows in, a report out. The only place where the core meets the outside.

table ── rows ─▶ triage ── due ─▶ probe ── answers ─▶ verdict ── zombies ─▶ breaker ─▶ evict
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from reaper.aws.connections import Page
from reaper.core.breaker import Evidence
from reaper.core.model import Answer, Ask, Endpoint, Outcome, Probe, Purpose, Row
from reaper.core.ratio import messages_in_window
from reaper.core.report import Tally
from reaper.core.rows import RowReader
from reaper.core.triage import (
    HeartbeatMode,
    Triage,
    TriageRules,
    how_to_ask,
    may_stay_silent,
    triage,
)
from reaper.core.verdict import confirm_delay_seconds
from reaper.eviction import Reason, Zombie
from reaper.judgement import Judgement
from reaper.prober import MOST_ATTEMPTS, Prober

log = structlog.get_logger()

MOST_BACKLOG = 500
"""Due rows that may wait for the pace before another page is taken from the scan."""

AGE_SAMPLE_ALWAYS = 20
AGE_SAMPLE_EVERY = 100
"""Of the expired rows the first 20 are asked all the same, and then one in a hundred."""

LONGEST_NAP_SECONDS = 0.1
"""The loop looks at least this often whether it should stop."""

DRAIN_SECONDS = 6.0
"""After a signal, what is in flight gets this long."""


class Scan(Protocol):
    @property
    def exhausted(self) -> bool: ...
    def next_page(self, wait_seconds: float) -> Page | None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SweepRules:
    """What the operator decided, as far as a sweep needs it."""

    triage: TriageRules
    confirm_delay_seconds: float
    next_turn_at: float
    """Epoch seconds by which every row will have had its next turn."""
    message_window_seconds: float
    budget_rps: float
    spread_seconds: float
    """How long the paced part lasts. After that, what is left goes at the budget."""
    dry_run: bool


class Sweep:
    """Carries out one sweep and keeps its counters."""

    def __init__(
        self,
        rules: SweepRules,
        scan: Scan,
        reader: RowReader,
        prober: Prober,
        judgement: Judgement,
        tally: Tally,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._rules = rules
        self._scan = scan
        self._reader = reader
        self._prober = prober
        self._judgement = judgement
        self._clock = clock
        self._wall_clock = wall_clock
        self._is_stopping = is_stopping
        self._tally = tally
        self._untold: Counter[str] = Counter()

    def run(self, on_progress: Callable[[], None]) -> None:
        """Sweep until every row has its verdict, or until told to stop.

        ``on_progress`` is called often. Raises TableError when the table cannot be scanned.
        """
        try:
            self._ask_all(on_progress)
        finally:
            self._scan.stop()
            self._drain()
        if self._untold:
            log.warning(
                "answers that told nothing", most_frequent=dict(self._untold.most_common(3))
            )
        self._judgement.settle()

    def _ask_all(self, on_progress: Callable[[], None]) -> None:
        paced_until = self._clock() + self._rules.spread_seconds
        while not (self._scan.exhausted and self._prober.idle):
            if self._is_stopping():
                log.info("stopping: the sweep ends with what is in flight")
                return
            if self._judgement.is_blind:
                log.error("the sweep is cut short: no answer told anything")
                return
            if self._clock() >= paced_until:
                self._prober.set_rate(self._rules.budget_rps)
            self._admit()
            self._learn_all(self._prober.poll(LONGEST_NAP_SECONDS))
            if self._judgement.is_full:
                self._judgement.settle()
            on_progress()

    def _admit(self) -> None:
        """Take pages as long as the prober keeps up."""
        while self._prober.backlog < MOST_BACKLOG and not self._scan.exhausted:
            page = self._scan.next_page(0.02 if self._prober.idle else 0)
            if page is None:
                return
            self._triage(self._reader.read_page(page.items, self._wall_clock()))

    def _triage(self, rows: Iterable[Row]) -> None:
        now = self._wall_clock()
        due: dict[tuple[Endpoint, str], list[Row]] = {}
        for row in rows:
            kind = triage(row, now, self._rules.next_turn_at, self._rules.triage)
            self._tally.count_triage(kind)
            if row.endpoint is None:
                continue
            match kind:
                case Triage.DUE:
                    due.setdefault((row.endpoint, row.connection_id), []).append(row)
                case Triage.EXPIRED:
                    self._take_expired(row, row.endpoint, now)
                case Triage.NEWBORN | Triage.FRESH:
                    self._count_messages([row], now)
        for (endpoint, connection_id), same in due.items():
            self._ask(Probe(endpoint, connection_id, Ask.CHECK, Purpose.DUE, same), now)

    def _take_expired(self, row: Row, endpoint: Endpoint, now: float) -> None:
        """Dead by age, unless the sample has shown that age proves nothing in this table."""
        site = self._judgement.site(endpoint)
        if site.evidence.expired_alive:
            self._tally.held += 1
            self._keep_expired_alive(row, endpoint, now)
            return
        site.expired.append(Zombie(row, Reason.EXPIRED))
        site.expired_seen += 1
        if site.expired_seen <= AGE_SAMPLE_ALWAYS or site.expired_seen % AGE_SAMPLE_EVERY == 0:
            self._prober.ask(
                Probe(endpoint, row.connection_id, Ask.CHECK, Purpose.AGE_SAMPLE, [row])
            )

    def _keep_expired_alive(self, row: Row, endpoint: Endpoint, now: float) -> None:
        """Its socket may live, so it gets its heartbeat like any other."""
        if self._rules.triage.heartbeat_mode is not HeartbeatMode.OFF:
            self._ask(Probe(endpoint, row.connection_id, Ask.CHECK, Purpose.KEEPALIVE, [row]), now)

    def _ask(self, probe: Probe, now: float) -> None:
        if not self._rules.dry_run:
            asks = {
                how_to_ask(row, now, self._rules.next_turn_at, self._rules.triage)
                for row in probe.rows
            }
            probe.ask = Ask.HEARTBEAT if Ask.HEARTBEAT in asks else Ask.CHECK
        self._prober.ask(probe)

    def _learn_all(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self._learn(answer)

    def _learn(self, answer: Answer) -> None:
        probe = answer.probe
        evidence = self._judgement.site(probe.endpoint).evidence
        match probe.purpose:
            case Purpose.DUE:
                self._learn_first(answer, evidence)
            case Purpose.CONFIRM:
                self._learn_second(answer, evidence)
            case Purpose.AGE_SAMPLE:
                self._learn_age(answer, evidence)
        if answer.outcome is Outcome.ALIVE:
            self._keep_alive(answer)

    def _learn_first(self, answer: Answer, evidence: Evidence) -> None:
        probe, rows = answer.probe, len(answer.probe.rows)
        match answer.outcome:
            case Outcome.ALIVE:
                evidence.alive += rows
                self._count_messages(probe.rows, self._wall_clock())
            case Outcome.GONE:
                evidence.gone += rows
                delay = confirm_delay_seconds(
                    probe.rows,
                    self._wall_clock(),
                    self._rules.confirm_delay_seconds,
                    self._rules.triage.newborn_grace_seconds,
                )
                log.debug("suspect", connection_id=probe.connection_id, asked_again_in=delay)
                self._prober.ask_later(
                    Probe(
                        probe.endpoint, probe.connection_id, Ask.CHECK, Purpose.CONFIRM, probe.rows
                    ),
                    delay,
                )
            case unknown:
                evidence.count_unknown(unknown, rows)
                self._untold[answer.detail] += rows

    def _learn_second(self, answer: Answer, evidence: Evidence) -> None:
        probe, rows = answer.probe, len(answer.probe.rows)
        match answer.outcome:
            case Outcome.GONE:
                evidence.confirmed += rows
                site = self._judgement.site(probe.endpoint)
                site.gone += [Zombie(row, Reason.GONE) for row in probe.rows]
            case Outcome.ALIVE:
                evidence.alive += rows
                log.info("suspect is alive after all", connection_id=probe.connection_id)
            case unknown:
                evidence.count_unknown(unknown, rows)
                self._untold[answer.detail] += rows

    def _learn_age(self, answer: Answer, evidence: Evidence) -> None:
        evidence.count_expired(answer.outcome, len(answer.probe.rows))
        if answer.outcome not in (Outcome.ALIVE, Outcome.GONE):
            self._untold[answer.detail] += 1
        if answer.outcome is Outcome.ALIVE:
            endpoint, now = answer.probe.endpoint, self._wall_clock()
            for spared in self._judgement.revoke_age(self._judgement.site(endpoint)):
                self._keep_expired_alive(spared.row, endpoint, now)

    def _keep_alive(self, answer: Answer) -> None:
        """Count the heartbeat that this was, or send the one that the check showed is needed."""
        probe = answer.probe
        if probe.ask is Ask.HEARTBEAT:
            self._tally.heartbeats += 1
            return
        if self._rules.dry_run or probe.purpose in (Purpose.CONFIRM, Purpose.AGE_SAMPLE):
            return
        now, rules = self._wall_clock(), self._rules
        is_silent = answer.last_active_at is None or not may_stay_silent(
            now - answer.last_active_at, now, rules.next_turn_at, rules.triage
        )
        wanted = rules.triage.heartbeat_mode is not HeartbeatMode.OFF and is_silent
        if wanted and probe.attempts < MOST_ATTEMPTS:
            probe.ask, probe.purpose = Ask.HEARTBEAT, Purpose.KEEPALIVE
            self._prober.ask(probe)

    def _count_messages(self, rows: Iterable[Row], now: float) -> None:
        for row in rows:
            age = None if row.connected_at is None else now - row.connected_at
            self._tally.counted_messages += messages_in_window(
                row.message_count, age, self._rules.message_window_seconds
            )

    def _drain(self) -> None:
        """Send nothing more; what is in flight comes home. After a whole sweep that is nothing."""
        give_up_at = self._clock() + DRAIN_SECONDS
        self._prober.abandon()
        while not self._prober.idle and self._clock() < give_up_at:
            self._learn_all(self._prober.poll(LONGEST_NAP_SECONDS))
            self._prober.abandon()
