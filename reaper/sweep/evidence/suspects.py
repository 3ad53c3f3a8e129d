"""Suspects: each is questioned until it is acquitted, convicted, or left for later.

What is next for a suspect is decided in ``core/evidence/evidence_rule.py``; here it is carried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import structlog

from reaper.core.audit import evidence_against
from reaper.core.evidence.evidence_rule import EvidenceRules, Next, Standing, Suspect, next_step
from reaper.core.model import Answer, Outcome, Probe, Purpose, Reason, Zombie
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row, opened_at
from reaper.core.triage import HeartbeatMode
from reaper.sweep.context import SweepContext
from reaper.sweep.evidence.cases import Case, Cases, Place
from reaper.sweep.evidence.shared_table import SharedTable
from reaper.sweep.evidence.witnesses import WitnessCalls, note_contradiction
from reaper.sweep.probes import Probes

log = structlog.get_logger()

WITNESS_PAUSE_SECONDS = 0.1
"""So long a suspect waits for one of them."""

LAST_LOOK_HOLDS_SECONDS = 30.0
"""Whose rows were not evicted within this time after its last 410 is looked at once more."""


class _Known(NamedTuple):
    """What is decided by, beside a suspect's own strikes."""

    now: float
    standing: Standing
    born_at: float | None


class Suspects:
    """Sees to the suspects of one sweep."""

    def __init__(
        self,
        context: SweepContext,
        probes: Probes,
        witness_calls: WitnessCalls,
        shared_table: SharedTable,
    ) -> None:
        self._context = context
        self._memory = context.memory
        self._clock = context.clock
        self._probes = probes
        self._witness_calls = witness_calls
        self._shared_table = shared_table
        rules = context.rules
        self._rules = EvidenceRules(
            rules.confirm_delay_seconds, rules.triage.max_connection_age_seconds
        )
        self._sends_heartbeats = rules.triage.heartbeat_mode is not HeartbeatMode.OFF
        self._cases = Cases()
        self._convicted: list[Case] = []
        """Those of the freshest looks are the last, and go first."""
        self._reconsidered: dict[Endpoint, tuple[Standing, bool, int]] = {}
        """What was known of endpoints when those who wait for them were last decided about."""
        self._unsettled: set[Endpoint] = set()
        """Endpoints of which it is not known yet whether they share their table."""
        self.overflow = 0
        """Rows of suspects for whom there was no room."""

    def accuse(self, answer: Answer) -> None:
        """Somebody who was due has answered 410."""
        probe = answer.probe
        self._memory.endpoints[probe.endpoint].accuse(probe.connection_id, len(probe.rows))
        case = self._cases.of(probe)
        if case is not None:
            case.add(probe.rows)
            return
        known = self._known(probe.endpoint, opened_at(probe.rows))
        suspect = self._suspect_of(answer, known)
        if suspect is None or not self._cases.has_room:
            self.overflow += len(probe.rows)
            return
        case = Case(probe.endpoint, probe.connection_id, list(probe.rows), suspect)
        self._cases.open(case)
        self._decide(case, known)

    def learn(self, answer: Answer) -> int:
        """A suspect has not answered 200 when it was looked at again.

        Returns how many rows are questioned no more, for want of a 410.
        """
        case = self._cases.of(answer.probe)
        if case is None:
            return 0  # it has answered 200 meanwhile, to another probe
        if answer.outcome is Outcome.GONE:
            known = self._known(case.endpoint, case.opened_at)
            self._add_410(case.suspect, answer, known)
            self._decide(case, known)
            return 0
        case.suspect.begin_again(self._standing(case.endpoint))
        return len(self._withdraw(case))

    def acquit(self, answer: Answer) -> list[Row]:
        """An id has answered 200, whatever the probe was for: all that it had against it is void.

        Returns the rows that were questioned, if any were.
        """
        probe = answer.probe
        suspect = self._memory.suspects.get(probe.endpoint, probe.connection_id)
        if suspect is None:
            return []
        state = self._memory.endpoints[probe.endpoint]
        if suspect.contradicts():
            note_contradiction(state, answer)
        self._memory.suspects.forget(probe.endpoint, probe.connection_id)
        case = self._cases.of(probe)
        if case is None:
            return []
        log.info("suspect is alive after all", connection_id=case.connection_id)
        state.found_alive(len(case.rows))
        return self._withdraw(case)

    def interrupt(self, probe: Probe) -> None:
        """An id that was asked has answered neither 200 nor 410: what was asked so far is void."""
        suspect = self._memory.suspects.get(probe.endpoint, probe.connection_id)
        if suspect is not None:
            suspect.begin_again(self._standing(probe.endpoint))

    def leave_unasked(self, probe: Probe) -> None:
        """It was to be asked, of an endpoint that is unresponsive now."""
        if probe.purpose is not Purpose.SUSPECT:
            self._witness_calls.abandon(probe)
        elif (case := self._cases.of(probe)) is not None:
            self._memory.endpoints[case.endpoint].leave_unasked(len(case.rows))
            self._withdraw(case)

    def advance(self) -> None:
        """Look again at whom it is time to look at, and at those whose witnesses have answered."""
        self._decide_each(self._cases.take_due(self._clock()))
        settled = [one for one in self._unsettled if self._shared_table.settle(one)]
        self._unsettled.difference_update(settled)
        for endpoint in (*self._witness_calls.advance(), *settled):
            self._decide_all(endpoint, Place.BLOCKED)

    def reconsider(self) -> None:
        """Decide again about those who wait, where something is known that was not before."""
        is_calibrated = self._memory.calibration.is_calibrated
        for endpoint, cases in self.waiting().items():
            standing = self._standing(endpoint)
            known = standing, is_calibrated, len(cases)
            if known == self._reconsidered.get(endpoint):
                continue
            self._reconsidered[endpoint] = known
            if not standing.is_held or standing.may_weigh:
                self._decide_all(endpoint, Place.WAITING)

    def take_convicted(self, ids: int, *, is_last: bool = False) -> list[Zombie]:
        """The rows of so many ids at most, which go now: by what is known now, and a fresh look.

        Whom something speaks for by now is decided about again, and who has waited too long is
        looked at again; by the next sweep, where this is the last time that somebody takes them.
        """
        taken = [self._convicted.pop() for _ in range(min(ids, len(self._convicted)))]
        cases = [case for case in taken if self._cases.is_at(case, Place.CONVICTED)]
        zombies: list[Zombie] = []
        for case, known in self._with_what_is_known(cases):
            step = next_step(case.suspect, known.standing, self._rules, known.now, known.born_at)
            is_fresh = known.now - case.suspect.last_410_at <= LAST_LOOK_HOLDS_SECONDS
            if step.what.is_conviction and is_fresh:
                zombies += self._zombies(case, known, step.what)
            elif is_last:
                case.suspect.postpone()
            elif step.what.is_conviction:
                self._look_at(case)
            else:
                self._decide(case, known)
        return zombies

    @property
    def convicted(self) -> int:
        """Ids whose rows nobody has taken yet."""
        return len(self._convicted)

    @property
    def open_rows(self) -> int:
        """Those that are still questioned."""
        return self._cases.rows

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for witnesses or a panel, or to be evicted."""
        return self._witness_calls.is_busy or bool(self._unsettled or self._convicted)

    @property
    def is_reading(self) -> bool:
        """Whether the table is read to learn who of a panel is still there."""
        return self._witness_calls.is_reading

    @property
    def next_look_at(self) -> float:
        """When somebody is to be looked at again; for ever where there is nobody."""
        return self._cases.next_at

    def waiting(self) -> dict[Endpoint, list[Case]]:
        """Those whose endpoint is not to be trusted now."""
        found: defaultdict[Endpoint, list[Case]] = defaultdict(list)
        for case in self._cases.at(Place.WAITING):
            found[case.endpoint].append(case)
        return found

    def close_waiting(self) -> None:
        for case in self._cases.at(Place.WAITING):
            case.suspect.postpone()
            self._cases.close(case)

    def _decide(self, case: Case, known: _Known) -> None:
        now, standing, born_at = known
        step = next_step(case.suspect, standing, self._rules, now, born_at)
        match step.what:
            case Next.LOOK if step.at <= now:
                self._look_at(case)
            case Next.LOOK:
                self._cases.postpone(case, step.at)
            case Next.WITNESS if self._witness_calls.are_needless(standing, now):
                self._cases.postpone(case, now + WITNESS_PAUSE_SECONDS)
            case Next.WITNESS:
                self._cases.block(case)
                self._witness_calls.call_witnesses(case.endpoint)
            case Next.PANEL:
                self._cases.block(case)
                self._witness_calls.want_panel(case.endpoint)
            case Next.WAIT if not case.is_looked_at and self._sends_heartbeats:
                self._look_at(case)  # a single 410 that is a lie must not cost it its heartbeat
            case Next.WAIT:
                self._cases.leave_waiting(case)
            case Next.VOID:
                case.suspect.begin_again(standing)
                self._decide(case, known)
            case Next.CONVICT | Next.CONVICT_BY_AGE:
                self._convict(case, step.what)

    def _decide_all(self, endpoint: Endpoint, place: Place) -> None:
        self._decide_each(self._cases.at(place, endpoint))

    def _decide_each(self, cases: Sequence[Case]) -> None:
        for case, known in self._with_what_is_known(cases):
            self._decide(case, known)

    def _with_what_is_known(self, cases: Sequence[Case]) -> Iterator[tuple[Case, _Known]]:
        """Of their endpoints: before the first of them is decided about."""
        standings = {one: self._standing(one) for one in {case.endpoint for case in cases}}
        now = self._clock()
        for case in cases:
            born_at = self._memory.born_at(case.opened_at)
            yield case, _Known(now, standings[case.endpoint], born_at)

    def _look_at(self, case: Case) -> None:
        self._cases.ask(case)
        self._probes.look_again(case.endpoint, case.connection_id, case.rows, case.suspect)

    def _convict(self, case: Case, verdict: Next) -> None:
        if verdict is Next.CONVICT and not self._shared_table.settle(case.endpoint):
            self._cases.block(case)
            self._unsettled.add(case.endpoint)
            return
        self._cases.convict(case)
        self._convicted.append(case)

    def _zombies(self, case: Case, known: _Known, verdict: Next) -> list[Zombie]:
        """Its rows, with all that speaks against it, which is on no list any more."""
        state = self._memory.endpoints[case.endpoint]
        reason = Reason.GONE if verdict is Next.CONVICT else Reason.EXPIRED
        evidence = evidence_against(
            case.suspect,
            state.counts.harvest,
            born_at=known.born_at if reason is Reason.EXPIRED else None,
            now=known.now,
            epoch_now=self._context.wall_clock(),
        )
        state.convict(case.connection_id, len(case.rows))
        self._cases.close(case)
        self._memory.suspects.forget(case.endpoint, case.connection_id)
        return [Zombie(row, reason, evidence) for row in case.rows]

    def _withdraw(self, case: Case) -> list[Row]:
        """It is none any more, for this sweep. Returns its rows."""
        self._cases.close(case)
        self._memory.endpoints[case.endpoint].withdraw(len(case.rows))
        return case.rows

    def _suspect_of(self, answer: Answer, known: _Known) -> Suspect | None:
        """Remembered from before, or from now on; None where there is no room."""
        probe, suspects = answer.probe, self._memory.suspects
        suspect = suspects.get(probe.endpoint, probe.connection_id)
        if suspect is not None:
            self._add_410(suspect, answer, known)
            return suspect
        suspect = Suspect.after_410(probe.sent_at, known.now, known.standing, answer.connection)
        has_room = suspects.remember(probe.endpoint, probe.connection_id, suspect)
        return suspect if has_room else None

    def _add_410(self, suspect: Suspect, answer: Answer, known: _Known) -> None:
        now, standing, born_at = known
        suspect.add_410(
            answer.probe.sent_at, now, standing, self._rules, born_at, answer.connection
        )

    def _known(self, endpoint: Endpoint, opened_at: float | None) -> _Known:
        return _Known(self._clock(), self._standing(endpoint), self._memory.born_at(opened_at))

    def _standing(self, endpoint: Endpoint) -> Standing:
        return self._memory.endpoints[endpoint].standing(self._context.limits())
