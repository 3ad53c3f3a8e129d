"""A population in the steady state that ``reaper plan`` speaks of, swept for hours."""

from __future__ import annotations

import random
from dataclasses import replace

from reaper.core.model import Ask, Change, Outcome, Probe
from reaper.core.pacing.rate import QUESTION_FRACTION, SPREAD_FRACTION, spread_rate
from reaper.core.plan.population import Population, Timetable
from reaper.core.report.report import Report
from reaper.core.rows.row import Row
from tests.support.builders import NOW
from tests.support.world import SHAPE, LivingWorld


class Crowd(LivingWorld):
    """Clients come at random, live for an exponential time and talk at random moments."""

    def __init__(self, population: Population, timetable: Timetable) -> None:
        super().__init__()
        self.confirm_delay = timetable.confirm_delay_seconds
        self.random = random.Random(1)
        self.population, self.timetable = population, timetable
        self.on_answer = self.note_pong
        self.lost_at: dict[str, float] = {}
        self.evicted_after: list[float] = []
        for _ in range(population.connections):
            self.open(age=self.exponential(1 / population.mean_life_seconds))
        self.at(self.exponential(population.opened_per_second), self.arrive)

    def exponential(self, per_second: float) -> float:
        return self.random.expovariate(per_second)

    def arrive(self) -> None:
        self.open(age=0.0)
        self.at(self.moment + self.exponential(self.population.opened_per_second), self.arrive)

    def open(self, age: float) -> None:
        name = f"{self.random.getrandbits(64):016x}"
        silent = age - self.moment if self.population.notes_last_seen else None
        self.add(name, alive=True, age=age - self.moment, silent=silent, active=age - self.moment)
        self.at(
            self.moment + self.exponential(1 / self.population.mean_life_seconds),
            lambda: self.close(name),
        )
        self.talk_later(name)

    def talk_later(self, name: str) -> None:
        if self.population.messages_per_minute:
            pause = self.exponential(self.population.messages_per_minute / 60)
            self.at(self.moment + pause, lambda: self.talk(name))

    def talk(self, name: str) -> None:
        if name in self.alive:
            self.last_active[name] = self.wall_clock()
            self.note_sign_of_life(name)
            self.talk_later(name)

    def note_sign_of_life(self, name: str) -> None:
        if self.population.notes_last_seen and name in self.rows:
            seen = {"N": str(NOW + self.moment)}
            self.rows[name] = self.rows[name] | {"lastSeenAt": seen}

    def note_pong(self, probe: Probe, _: float) -> None:
        if probe.ask is Ask.HEARTBEAT and self.answer_to(probe) is Outcome.ALIVE:
            self.note_sign_of_life(probe.connection_id)

    def close(self, name: str) -> None:
        self.alive.discard(name)
        if self.random.random() < self.population.zombie_rate:
            self.lost_at[name] = self.moment
        else:
            del self.rows[name]

    def delete_one(self, row: Row) -> Change:
        change = super().delete_one(row)
        if change is Change.DONE:
            self.evicted_after.append(self.moment - self.lost_at[row.connection_id])
        return change

    def sweep_for(self, sweeps: int) -> list[Report]:
        """Sweep as ``reaper run`` does, from now on."""
        timetable, reports = self.timetable, []
        start = self.moment
        for number in range(sweeps):
            self.pass_to(start + number * timetable.interval_seconds)
            rate = timetable.budget_rps
            if reports:
                rate = spread_rate(self.turn_calls, timetable.window_seconds, rate)
            reports.append(
                self.sweep(
                    triage=timetable.triage,
                    rate=rate,
                    budget=timetable.budget_rps,
                    until_next_turn=timetable.interval_seconds * (1 + SPREAD_FRACTION),
                    spread_seconds=timetable.window_seconds,
                    question_seconds=QUESTION_FRACTION * timetable.interval_seconds,
                    shape=replace(SHAPE, counts_pongs=False),
                )
            )
        return reports
