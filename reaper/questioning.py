"""The questioning of suspects: each goes on until it is acquitted, convicted, or left for later.

What is next for a suspect is decided in ``core/evidence.py``; here it is carried out.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any

import structlog

from reaper.context import SweepContext
from reaper.core.endpoint_state import EndpointState
from reaper.core.evidence import EvidenceRules, Next, Suspect, next_step
from reaper.core.model import Answer, Endpoint, Outcome, Probe, Purpose, Reason, Row, Zombie
from reaper.core.suspects import Key
from reaper.core.triage import HeartbeatMode
from reaper.inquiry import Holds, Inquiry, call_panel, call_witnesses, conclude, contradicted
from reaper.probes import Probes
from reaper.sharing import Sharing

log = structlog.get_logger()

MAX_CASES = 20_000
"""Suspects whose rows are held in memory. The rows of more are found again by the next sweep."""


class Place(Enum):
    """Where a case is."""

    ASKED = "asked"
    """Its answer is awaited."""
    LATER = "later"
    """It is looked at again at some moment."""
    BLOCKED = "blocked"
    """It waits for an inquiry."""
    WAITING = "waiting"
    """It waits for its endpoint to become trustworthy."""


@dataclass(slots=True, eq=False)
class Case:
    """A suspect of this sweep, with the rows that hold its id."""

    endpoint: Endpoint
    connection_id: str
    rows: list[Row]
    suspect: Suspect
    place: Place = Place.ASKED
    is_looked_at: bool = False
    """Whether it was asked again in this sweep."""

    @property
    def key(self) -> Key:
        return self.endpoint, self.connection_id


class Questioning:
    """Owns the cases of one sweep."""

    def __init__(
        self, context: SweepContext, probes: Probes, sharing: Sharing, holds: Holds
    ) -> None:
        """``holds`` looks into the table."""
        self._context = context
        self._memory = context.memory
        self._clock = context.clock
        self._probes = probes
        self._sharing = sharing
        self._holds = holds
        rules = context.rules
        self._rules = EvidenceRules(
            rules.confirm_delay_seconds, rules.triage.max_connection_age_seconds
        )
        self._limits = context.limits
        self._cases: dict[Key, Case] = {}
        self._later: list[tuple[float, int, Case]] = []
        self._order = itertools.count()
        self._inquiries: dict[Endpoint, Inquiry] = {}
        self._convicted: list[Zombie] = []
        self._panels_wanted: set[Endpoint] = set()
        self._unsettled: set[Endpoint] = set()
        self.is_everybody_asked = False
        """Whether every row had its turn, so that nobody else will be found alive."""
        self.overflow = 0
        """Rows of suspects for whom there was no room."""

    # What it is told

    def accuse(self, answer: Answer) -> None:
        """Somebody who was due has answered 410."""
        probe = answer.probe
        state = self._memory.endpoints[probe.endpoint]
        state.counts.gone += len(probe.rows)
        state.answered_410(probe.connection_id)
        key = probe.endpoint, probe.connection_id
        case = self._cases.get(key)
        if case is not None:
            case.rows += probe.rows  # another page has brought another row of it
            return
        suspect = self._remember(key, answer, state)
        if suspect is None or not self.room:
            self.overflow += len(probe.rows)
            return
        case = Case(probe.endpoint, probe.connection_id, list(probe.rows), suspect)
        self._cases[key] = case
        self._decide(case)

    def learn(self, answer: Answer) -> int:
        """A suspect has not answered 200 when it was looked at again.

        Returns how many rows are questioned no more, for want of a 410.
        """
        probe = answer.probe
        case = self._cases.get((probe.endpoint, probe.connection_id))
        if case is None:
            return 0  # it has answered 200 meanwhile, to another question
        state, now = self._memory.endpoints[case.endpoint], self._clock()
        standing = state.standing(self._limits())
        if answer.outcome is Outcome.GONE:
            case.suspect.add_410(probe.sent_at, now, standing, self._rules, self._born_at(case))
            case.suspect.connection = answer.connection
            self._decide(case)
            return 0
        case.suspect.begin_again(standing)
        self._close(case)
        state.counts.recanted += len(case.rows)
        return len(case.rows)

    def acquit(self, answer: Answer) -> list[Row]:
        """An id has answered 200, whatever the question was: all that it had against it is void.

        Returns the rows that were questioned, if any were.
        """
        key = answer.probe.endpoint, answer.probe.connection_id
        state = self._memory.endpoints[answer.probe.endpoint]
        suspect = self._memory.suspects.get(key)
        if suspect is None:
            return []
        if suspect.contradicts():
            contradicted(state, answer)
        self._memory.suspects.forget(key)
        case = self._cases.get(key)
        if case is None:
            return []
        log.info("suspect is alive after all", connection_id=case.connection_id)
        self._close(case)
        state.counts.recanted += len(case.rows)
        state.counts.alive += len(case.rows)
        return case.rows

    def interrupt(self, probe: Probe) -> None:
        """An id that was asked has answered neither 200 nor 410: what was asked so far is void."""
        suspect = self._memory.suspects.get((probe.endpoint, probe.connection_id))
        if suspect is not None:
            suspect.begin_again(self._memory.endpoints[probe.endpoint].standing(self._limits()))

    def learn_of_inquiry(self, answer: Answer) -> None:
        inquiry = self._inquiries.get(answer.probe.endpoint)
        if inquiry is not None:
            inquiry.learn(answer)

    def leave_unasked(self, probe: Probe) -> None:
        """It was to be asked, by an endpoint that tells nothing any more."""
        if probe.purpose is Purpose.SUSPECT:
            case = self._cases.get((probe.endpoint, probe.connection_id))
            if case is None:
                return
            counts = self._memory.endpoints[case.endpoint].counts
            counts.recanted += len(case.rows)
            counts.count_unasked(len(case.rows))
            self._close(case)
        elif probe.endpoint in self._inquiries:
            self._inquiries[probe.endpoint].abandon(probe.connection_id)

    # How it goes on

    def advance(self) -> None:
        """Look again at whom it is time to look at, and at those whose inquiry is over."""
        now = self._clock()
        while self.next_look_at <= now:
            self._decide(heapq.heappop(self._later)[2])
        for endpoint, inquiry in list(self._inquiries.items()):
            if inquiry.is_over:
                del self._inquiries[endpoint]
                conclude(inquiry, self._memory.endpoints[endpoint], self._holds, now)
                self._decide_all(endpoint, Place.BLOCKED)
        for endpoint in self._panels_wanted - self._inquiries.keys():
            self._call_panel(endpoint)
        for endpoint in [one for one in self._unsettled if self._sharing.is_settled(one)]:
            self._unsettled.discard(endpoint)
            self._decide_all(endpoint, Place.BLOCKED)

    def reconsider(self) -> None:
        """Decide again about those who wait, where their endpoint has become trustworthy."""
        for endpoint in {case.endpoint for case in self._in(Place.WAITING)}:
            standing = self._memory.endpoints[endpoint].standing(self._limits())
            if not standing.is_held or standing.may_weigh:
                self._decide_all(endpoint, Place.WAITING)

    def take_convicted(self) -> list[Zombie]:
        convicted, self._convicted = self._convicted, []
        return convicted

    @property
    def convicted(self) -> Sequence[Zombie]:
        """Those that nobody has taken yet."""
        return self._convicted

    @property
    def open(self) -> int:
        """Rows that are still questioned."""
        return sum(len(case.rows) for case in self._cases.values())

    @property
    def room(self) -> int:
        """For so many more suspects."""
        return max(0, MAX_CASES - len(self._cases))

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an inquiry, or to be evicted."""
        waits = self._inquiries or self._panels_wanted or self._unsettled
        return bool(waits or self._convicted)

    @property
    def next_look_at(self) -> float:
        """When somebody is to be looked at again; for ever where there is nobody."""
        while self._later and not self._is_later(self._later[0][2]):
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else inf

    def _is_later(self, case: Case) -> bool:
        return case.place is Place.LATER and self._cases.get(case.key) is case

    def waiting(self) -> dict[Endpoint, list[Case]]:
        """Those whose endpoint is not to be trusted now."""
        found: defaultdict[Endpoint, list[Case]] = defaultdict(list)
        for case in self._in(Place.WAITING):
            found[case.endpoint].append(case)
        return found

    def close_waiting(self) -> None:
        for case in list(self._in(Place.WAITING)):
            case.suspect.postpone()
            self._close(case)

    # What is next

    def _decide(self, case: Case) -> None:
        state, now = self._memory.endpoints[case.endpoint], self._clock()
        standing = state.standing(self._limits())
        step = next_step(case.suspect, standing, self._rules, now, self._born_at(case))
        match step.what:
            case Next.LOOK if step.at <= now:
                self._look_at(case)
            case Next.LOOK:
                case.place = Place.LATER
                heapq.heappush(self._later, (step.at, next(self._order), case))
            case Next.WITNESS | Next.PANEL:
                case.place = Place.BLOCKED
                self._inquire(case.endpoint, step.what)
            case Next.WAIT if not case.is_looked_at and self._sends_heartbeats:
                self._look_at(case)
            case Next.WAIT:
                case.place = Place.WAITING
            case Next.VOID:
                case.suspect.begin_again(standing)
                self._decide(case)
            case Next.CONVICT if not self._sharing.is_settled(case.endpoint):
                case.place = Place.BLOCKED
                self._unsettled.add(case.endpoint)
            case Next.CONVICT:
                self._convict(case, Reason.GONE)
            case Next.CONVICT_BY_AGE:
                self._convict(case, Reason.EXPIRED)

    def _look_at(self, case: Case) -> None:
        case.place, case.is_looked_at = Place.ASKED, True
        self._probes.look_again(case.endpoint, case.connection_id, case.rows, case.suspect)

    @property
    def _sends_heartbeats(self) -> bool:
        """A live socket may need one, and a single 410 that is a lie must not cost it that."""
        return self._context.rules.triage.heartbeat_mode is not HeartbeatMode.OFF

    def _decide_all(self, endpoint: Endpoint, place: Place) -> None:
        for case in self._in(place, endpoint):
            self._decide(case)

    def _in(self, place: Place, endpoint: Endpoint | None = None) -> Iterable[Case]:
        return [
            case
            for case in self._cases.values()
            if case.place is place and endpoint in (None, case.endpoint)
        ]

    def _inquire(self, endpoint: Endpoint, what: Next) -> None:
        """One inquiry at a time; who waits for another decides again after it."""
        if endpoint in self._inquiries:
            return
        state = self._memory.endpoints[endpoint]
        if what is Next.PANEL:
            self._panels_wanted.add(endpoint)
            self._call_panel(endpoint)
        else:
            standing = state.standing(self._limits())
            weighs = standing.may_weigh and (standing.is_held or standing.is_slow)
            self._inquiries[endpoint] = call_witnesses(endpoint, state, self._probes, weighs=weighs)

    def _call_panel(self, endpoint: Endpoint) -> None:
        """When every row had its turn, for evictions keep others waiting for their heartbeats.

        In a sweep by itself, which has time, as soon as there are enough to be drawn from.
        """
        state = self._memory.endpoints[endpoint]
        has_time = self._context.rules.question_seconds == inf
        is_time = self.is_everybody_asked or (has_time and state.can_seat_panel)
        if is_time and self._sharing.is_settled(endpoint):
            self._panels_wanted.discard(endpoint)
            self._inquiries[endpoint] = call_panel(endpoint, state, self._probes)

    def _remember(self, key: Key, answer: Answer, state: EndpointState) -> Suspect | None:
        probe = answer.probe
        suspects, standing, now = (
            self._memory.suspects,
            state.standing(self._limits()),
            self._clock(),
        )
        suspect = suspects.get(key)
        if suspect is not None:
            born_at = self._born_at_of(probe.rows)
            suspect.add_410(probe.sent_at, now, standing, self._rules, born_at)
            suspect.connection = answer.connection
            return suspect
        suspect = Suspect.after_410(probe.sent_at, now, standing, answer.connection)
        return suspect if suspects.remember(key, suspect) else None

    def _convict(self, case: Case, reason: Reason) -> None:
        self._memory.endpoints[case.endpoint].counts.confirmed += len(case.rows)
        evidence = self._evidence(case, reason)
        self._convicted += [Zombie(row, reason, evidence) for row in case.rows]
        self._close(case)
        self._memory.suspects.forget(case.key)
        self._memory.endpoints[case.endpoint].forget(case.connection_id)

    def _close(self, case: Case) -> None:
        del self._cases[case.key]

    def _evidence(self, case: Case, reason: Reason) -> dict[str, Any]:
        """For the audit line; times in epoch seconds."""
        suspect = case.suspect
        state = self._memory.endpoints[case.endpoint]
        dead, answered = state.counts.harvest
        to_epoch = self._context.wall_clock() - self._clock()
        evidence: dict[str, Any] = {
            "first_410_at": round(suspect.first_410_at + to_epoch, 3),
            "last_410_at": round(suspect.last_410_at + to_epoch, 3),
            "strikes_at": [round(at + to_epoch, 3) for at in suspect.strikes],
            "others_alive": answered - dead,
            "others_gone": dead,
        }
        alive_at = state.standing(self._limits()).alive_at
        if alive_at > -inf:
            evidence["witness_at"] = round(alive_at + to_epoch, 3)
        born_at = self._born_at(case)
        if reason is Reason.EXPIRED and born_at is not None:
            evidence["age_seconds"] = round(self._clock() - born_at)
        return evidence

    def _born_at(self, case: Case) -> float | None:
        return self._born_at_of(case.rows)

    def _born_at_of(self, rows: Iterable[Row]) -> float | None:
        """When a connection was opened, by the youngest of its rows, where that can be known.

        Not by a row that is keyed by something else than the connection: a user who comes back may
        have put a new id beside an old time.
        """
        calibration = self._memory.calibration
        now = calibration.earliest_gateway_time(self._clock())
        if now is None or not calibration.is_calibrated:
            return None
        youngest = -inf
        for row in rows:
            if row.connected_at is None or not row.is_keyed_by_connection:
                return None
            youngest = max(youngest, row.connected_at)
        return self._clock() - (now - youngest)
