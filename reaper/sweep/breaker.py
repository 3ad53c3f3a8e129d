"""The breaker at work: convicted rows are evicted, and what is held is held with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

import structlog

from reaper.core.evidence.breaker import (
    BreakerLimits,
    Findings,
    HoldReason,
    has_too_many_unknown,
    hold_of,
    hold_of_deaf,
)
from reaper.core.evidence.holds import Explanation, explain, explain_deaf, what_ends_it
from reaper.core.model import Zombie
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row
from reaper.core.triage import is_expired
from reaper.sweep.context import SweepContext
from reaper.sweep.eviction.evictor import Evictor
from reaper.sweep.evidence.cases import Case
from reaper.sweep.evidence.suspects import Suspects
from reaper.sweep.pongs import Pongs

log = structlog.get_logger()

GATHER_SECONDS = 1.0
"""Convicted rows wait this long at most for others: to read and delete many at once is quick."""


MIN_UNHEARD_ROWS = 5
"""Where nothing is held, fewer inconclusive answers are nobody's concern: one may be slow."""


class Breaker:
    """Evicts or holds: every endpoint by its own evidence."""

    def __init__(
        self, context: SweepContext, suspects: Suspects, pongs: Pongs, evictor: Evictor
    ) -> None:
        self._context = context
        self._tally = context.tally
        self._memory = context.memory
        self._clock = context.clock
        self._suspects = suspects
        self._pongs = pongs
        self._evictor = evictor
        self._trusted: set[Endpoint] = set()
        self._evicted_at = context.clock()
        self.hold_reason: HoldReason | None = None
        self.why_held: Explanation | None = None
        self.why_unheard: Explanation | None = None
        """Of rows whose answers were inconclusive, though there is nothing to be held for it."""

    def evict_convicted(self, *, is_idle: bool) -> None:
        """Those that were convicted since the last time, once there are enough of them.

        And once those before them have gone: the last look is to be the last thing before it.
        """
        now = self._clock()
        if self._evictor.is_busy:
            return
        has_waited = is_idle or now - self._evicted_at >= GATHER_SECONDS
        if has_waited or self._suspects.convicted >= self._evictor.batch_size:
            self._evicted_at = now
            self._evict(self._suspects.take_convicted(self._evictor.batch_size))

    def settle(self, *, is_complete: bool) -> None:
        """The sweep is over: hold what waits for a better word of its endpoint."""
        self._evict(self._suspects.take_convicted(self._suspects.convicted, is_last=True))
        if self._context.is_stopping():
            return
        for endpoint, cases in self._suspects.waiting().items():
            self._hold(endpoint, cases)
        self._suspects.close_waiting()
        self._hold_what_is_unheard_of()
        if is_complete:
            self._settle_deaf()

    def _evict(self, zombies: Sequence[Zombie]) -> None:
        for endpoint, same in groupby(zombies, key=attrgetter("row.endpoint")):
            rows = list(same)
            self._say_what_is_trusted(endpoint)
            log.info("evictions allowed", rows=len(rows), **self._numbers(endpoint))
            self._evictor.evict(rows)

    def _hold(self, endpoint: Endpoint, cases: Sequence[Case]) -> None:
        findings, rows = self._findings(endpoint), [row for case in cases for row in case.rows]
        reason = hold_of(findings, self._context.limits()) or HoldReason.UNPROVEN_ENDPOINT
        if self._would_go_by_age(reason, rows):
            reason = HoldReason.AGE_CONTRADICTED
        self._memory.endpoints[endpoint].hold(len(rows))
        self._tally.hold(len(rows))
        self._tell_of_hold(endpoint, reason, findings, len(rows))

    def _would_go_by_age(self, reason: HoldReason, rows: Sequence[Row]) -> bool:
        """Whether most would go in spite of the hold, if only their time were what it seems."""
        is_refuted = bool(self._memory.calibration.refuted_by_seconds)
        is_by_numbers = reason in (HoldReason.TOO_MANY_GONE, HoldReason.UNPROVEN_ENDPOINT)
        if not is_refuted or not is_by_numbers:
            return False
        cutoffs = self._context.cutoffs()
        return sum(is_expired(row, cutoffs) for row in rows) * 2 > len(rows)

    def _hold_what_is_unheard_of(self) -> None:
        """An endpoint that refuses everything, or is unresponsive, holds though no row waits."""
        limits = self._context.limits()
        for endpoint in self._memory.in_sweep:
            findings = self._findings(endpoint)
            reason = hold_of(findings, limits)
            if reason in (HoldReason.DENIED, HoldReason.TOO_MANY_UNKNOWN):
                self._tell_of_hold(endpoint, reason, findings, 0)
            elif reason is None and _leaves_many_unheard(findings, limits):
                self.why_unheard = explain(HoldReason.TOO_MANY_UNKNOWN, findings, limits)

    def _tell_of_hold(
        self, endpoint: Endpoint, reason: HoldReason, findings: Findings, rows: int
    ) -> None:
        if not rows and self.hold_reason is reason:
            return
        self.hold_reason = reason
        self.why_held = explain(reason, findings, self._context.limits())
        rules = self._context.rules
        log.error(
            "evictions are held",
            hold_reason=reason.value,
            rows=rows,
            why=self.why_held.why,
            cure=self.why_held.cure,
            what_ends_it=what_ends_it(rules.triage.max_connection_age_seconds),
            **self._numbers(endpoint),
        )

    def _settle_deaf(self) -> None:
        """Close the sockets of the deaf and evict them, if the pongs of others bear that out.

        Else they are no zombies: they stay alive, and are not counted as held.
        """
        limits = replace(self._context.limits(), trust_endpoint=False)
        for endpoint, deaf in self._pongs.take_silent().items():
            state = self._memory.endpoints[endpoint]
            state.found_deaf(len({zombie.row.connection_id for zombie in deaf}))
            reason = hold_of_deaf(state.findings, limits)
            if reason is None:
                state.convict_deaf(len(deaf))
                log.info("deaf evictions allowed", rows=len(deaf), **self._numbers(endpoint))
                self._evictor.evict(deaf)
                continue
            self.hold_reason = reason
            self.why_held = explain_deaf(state.findings, limits)
            log.error(
                "deaf evictions are held",
                hold_reason=reason.value,
                rows=len(deaf),
                why=self.why_held.why,
                cure=self.why_held.cure,
                **self._numbers(endpoint),
            )

    def _say_what_is_trusted(self, endpoint: Endpoint) -> None:
        """Once per sweep."""
        limits = self._context.limits()
        if not limits.trust_endpoint or endpoint in self._trusted:
            return
        self._trusted.add(endpoint)
        findings, untrusting = self._findings(endpoint), replace(limits, trust_endpoint=False)
        reason = hold_of(findings, untrusting)
        if reason is None and not findings.counts.alive:
            reason = HoldReason.UNPROVEN_ENDPOINT
        if reason is not None:
            log.warning(
                "evicting on your word",
                without_trust="these rows would be held",
                hold_reason=reason.value,
                why=str(explain(reason, findings, untrusting)),
                **self._numbers(endpoint),
            )

    def _findings(self, endpoint: Endpoint) -> Findings:
        return self._memory.endpoints[endpoint].findings

    def _numbers(self, endpoint: Endpoint) -> dict[str, object]:
        """What a decision of the breaker rests on, counted in rows."""
        findings = self._findings(endpoint)
        counts, panel = findings.counts, findings.panel
        return {
            "endpoint": str(endpoint),
            "alive": counts.alive,
            "gone": counts.harvest.dead,
            "unknown": counts.unknown,
            "fresh_asked": counts.weighed,
            "fresh_alive": counts.weighed_alive,
            "panel_alive": panel.answered - panel.dead if panel else None,
            "panel_gone": panel.dead if panel else None,
            "pongs": counts.pongs,
            "deaf": counts.deaf,
        }


def _leaves_many_unheard(findings: Findings, limits: BreakerLimits) -> bool:
    is_many = findings.counts.faults >= MIN_UNHEARD_ROWS
    return is_many and has_too_many_unknown(findings.counts, limits)
