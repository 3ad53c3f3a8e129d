"""Worlds of the evidence rule alone: ids, a gateway that lies, and moments. No sweep."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from reaper.core.evidence.breaker import BreakerLimits, Harvest
from reaper.core.evidence.endpoint_state import EndpointState
from reaper.core.evidence.evidence_rule import EvidenceRules, Next, Suspect, next_step
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose
from reaper.core.rows.row import Row
from tests.support.builders import ENDPOINT, a_row

NO_ANSWER = Answer(Probe(ENDPOINT, "any", Ask.CHECK, Purpose.DUE), Outcome.UNKNOWN, "500")

LIMITS = BreakerLimits(0.5, 20, 0.2)
RULES = EvidenceRules(60, 7500)
INTERVAL = 300.0
SPREAD = 150.0


@dataclass
class Blip:
    """For a while a part of the ids gets other answers than the truth."""

    begins: float
    seconds: float
    part: float
    """Of the ids: their number decides which, so it is the same ones all the while."""
    says: tuple[int, ...] = (410,)

    def lie(self, moment: float, rank: float, chance: random.Random) -> int | None:
        if self.begins <= moment < self.begins + self.seconds and rank < self.part:
            return chance.choice(self.says)
        return None


@dataclass
class RuleWorld:
    """One endpoint. ``live`` and ``zombies`` are numbers of ids; moments are seconds."""

    seed: int
    live: int
    zombies: int
    blips: list[Blip] = field(default_factory=list)
    rules: EvidenceRules = RULES
    born_at: Callable[[str], float | None] = lambda name: None
    evicted: dict[str, float] = field(default_factory=dict)
    moment: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.alive = {f"live-{n}" for n in range(self.live)}
        names = [*self.alive, *(f"zombie-{n}" for n in range(self.zombies))]
        self.rows: dict[str, Row] = {name: a_row(name) for name in sorted(names)}
        self.rank = {name: self.chance.random() for name in self.rows}
        self.state = EndpointState()
        self.suspects: dict[str, Suspect] = {}
        self._events: list[tuple[float, int, str, bool]] = []
        self._order = itertools.count()
        self._waiting: list[str] = []

    def answer(self, name: str) -> int:
        for blip in self.blips:
            lie = blip.lie(self.moment, self.rank[name], self.chance)
            if lie is not None:
                return lie
        return 200 if name in self.alive else 410

    def sweep(self) -> None:
        """One interval: everybody is asked in its spread part, suspects until its end."""
        begins = self.moment
        self.state.begin_sweep()
        self._events, self._waiting = [], []
        for name in self.rows:
            at = begins + self.chance.uniform(0, SPREAD)
            heapq.heappush(self._events, (at, next(self._order), name, True))
        while self._events and self._events[0][0] <= begins + INTERVAL * 0.95:
            self.moment, _, name, is_due = heapq.heappop(self._events)
            if is_due:
                self.ask(name, is_due=True)
            else:
                self.decide(name)
            if not self._events:
                waiting, self._waiting = self._waiting, []
                if waiting and not self.state.standing(LIMITS).is_held:
                    for one in waiting:
                        self.decide(one)
        self.state.end_sweep(is_of_table=True)
        self.moment = begins + INTERVAL

    def ask(self, name: str, *, is_due: bool = False) -> None:
        """A due row, or another look at a suspect."""
        said, state, now = self.answer(name), self.state, self.moment
        suspect = self.suspects.get(name)
        if said == 200:
            state.answered_200(self.rows[name], now, is_witness=False)
            state.found_alive(1)
            state.withdraw(int(not is_due))
            if suspect is not None and suspect.contradicts():
                state.contradict()
            self.suspects.pop(name, None)
        elif said == 410:
            if is_due:
                state.accuse(name, 1)
            standing = state.standing(LIMITS)
            if suspect is None:
                self.suspects[name] = Suspect.after_410(now, now, standing)
            else:
                suspect.add_410(now, now, standing, self.rules, self.born_at(name))
            self.decide(name)
        else:
            state.answered_otherwise(NO_ANSWER, 1)
            state.withdraw(int(not is_due))
            if suspect is not None:
                suspect.begin_again(state.standing(LIMITS))

    def decide(self, name: str) -> None:
        suspect = self.suspects.get(name)
        if suspect is None or name in self.evicted:
            return
        standing = self.state.standing(LIMITS)
        step = next_step(suspect, standing, self.rules, self.moment, self.born_at(name))
        match step.what:
            case Next.LOOK if step.at <= self.moment:
                self.ask(name)
            case Next.LOOK:
                heapq.heappush(self._events, (step.at, next(self._order), name, False))
            case Next.VOID:
                suspect.begin_again(standing)
                self.decide(name)
            case Next.WITNESS:
                self.call_witnesses()
                self.decide(name)
            case Next.PANEL:
                self.call_panel()
                self.decide(name)
            case Next.WAIT:
                self._waiting.append(name)
                suspect.postpone()
            case Next.CONVICT | Next.CONVICT_BY_AGE:
                self.evicted[name] = self.moment
                self.state.convict(name, 1)
                del self.rows[name], self.suspects[name]

    def call_witnesses(self) -> None:
        self.state.found_witnesses(sum(self.call(row) for row in self.state.call_witnesses()))

    def call_panel(self) -> None:
        draw = self.state.draw()
        members = self.chance.sample(draw, min(20, len(draw)))
        alive = sum(self.call(row) for row in members)
        dead = [row for row in members if self.answer(row.connection_id) == 410]
        panel = Harvest(len(dead), alive + len(dead))
        self.state.found_panel(panel, self.moment)

    def call(self, row: Row) -> bool:
        is_alive = self.answer(row.connection_id) == 200
        if is_alive:
            self.state.answered_200(row, self.moment, is_witness=True)
        return is_alive

    @property
    def lost(self) -> set[str]:
        """Living ones that went."""
        return self.alive & self.evicted.keys()
