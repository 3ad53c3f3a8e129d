"""A population of connections, and what a sweep finds of it: who is asked, how long zombies stay.

All is in means over a long time. Connections come at random, live for an exponential time and
talk at random moments; every row is looked at once per sweep, at a moment of its own in the spread
part of the interval. The tests hold the arithmetic against the simulated world.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, log
from typing import NamedTuple

from reaper.core.evidence.evidence_rule import MAX_PANEL, PANEL_HOLDS_SECONDS, USUAL_DELAYS
from reaper.core.pacing.rate import QUESTION_FRACTION, SPREAD_FRACTION
from reaper.core.platform import CONNECT_MAY_TAKE_SECONDS
from reaper.core.triage import HeartbeatMode, TriageRules

_STEPS = 64
_CASES = 25


class Population(NamedTuple):
    """The connections of an application, as they are on average."""

    connections: int
    """Open at any moment."""
    mean_life_seconds: float
    messages_per_minute: float
    """Of one connection, both ways."""
    zombie_rate: float
    """The part of the connections whose ``$disconnect`` is never delivered."""
    row_bytes: int
    notes_last_seen: bool
    """Whether rows say when a client was last heard of, answers to heartbeats included."""

    @property
    def opened_per_second(self) -> float:
        return self.connections / self.mean_life_seconds


@dataclass(frozen=True)
class Timetable:
    """What the operator set, as far as it counts here."""

    triage: TriageRules
    interval_seconds: float
    confirm_delay_seconds: float
    quota_rps: float
    quota_share: float

    @property
    def budget_rps(self) -> float:
        return self.quota_rps * self.quota_share

    @property
    def window_seconds(self) -> float:
        """The part of the interval over which calls are spread."""
        return self.interval_seconds * SPREAD_FRACTION


def probes_per_sweep(population: Population, timetable: Timetable) -> tuple[float, float]:
    """Checks of, and heartbeats to, live connections in a sweep."""
    checks = heartbeats = 0.0
    for step in range(_STEPS):
        asked_at = (step + 0.5) / _STEPS * timetable.window_seconds
        may_be_silent = _may_be_silent_seconds(timetable, asked_at)
        some_checks, some_heartbeats = _probes_at(population, timetable, may_be_silent)
        checks += some_checks / _STEPS
        heartbeats += some_heartbeats / _STEPS
    return checks * population.connections, heartbeats * population.connections


class Questioning(NamedTuple):
    """What it takes to convict a zombie in a sane world, most of whose connections live."""

    seconds: float
    """From the first 410 to the eviction."""
    due: int
    """How often it is asked because it is due; those may be heartbeats."""
    looks: int
    """How often it is asked because it is a suspect."""


def questioning(timetable: Timetable, asked_at: float) -> Questioning:
    """Of a row that is asked at that moment of each sweep.

    Suspects are looked at again when it is time, if a sweep has time for that; else they wait for
    their turn in the next one. The last strike comes when every row had its turn.
    """
    delay, interval = timetable.confirm_delay_seconds, timetable.interval_seconds
    span = max(USUAL_DELAYS * delay, CONNECT_MAY_TAKE_SECONDS)
    now, turn, due, looks = 0.0, 0, 1, 0
    for earliest in (delay, span):
        at, is_due = max(earliest, now + delay), False
        while not is_due and asked_at + at - turn * interval > QUESTION_FRACTION * interval:
            turn, due = turn + 1, due + 1
            is_due = turn * interval >= at
            at = max(at, turn * interval)
        looks += not is_due
        now = at
    everybody_asked = turn * interval + timetable.window_seconds - asked_at
    return Questioning(
        max(now, everybody_asked), due, looks + is_due
    )  # the last one is never merely due


def sweep_seconds(timetable: Timetable, window: float, evicted: float) -> float:
    """How long a sweep takes that evicts so many: until the last of them goes."""
    if not evicted:
        return window
    last_asked_at = window * evicted / (evicted + 1)
    latest = QUESTION_FRACTION * timetable.interval_seconds
    ends_at = last_asked_at + questioning(timetable, last_asked_at).seconds
    return max(window, min(latest, ends_at))


def panel_calls(timetable: Timetable, evicted: float, connections: int) -> float:
    """In a sweep that evicts so many: a panel sits as often as what it said has become too old."""
    if not evicted:
        return 0.0
    window, gap = timetable.window_seconds, timetable.window_seconds / evicted
    panels = 1 + (window - gap) / (PANEL_HOLDS_SECONDS + gap)
    return max(1.0, panels) * min(MAX_PANEL, connections)


def zombie_calls(population: Population, timetable: Timetable) -> tuple[float, float]:
    """Checks of, and heartbeats tried to, one zombie, until it goes."""
    mode = timetable.triage.heartbeat_mode
    is_post = mode is HeartbeatMode.ALWAYS or (
        mode is HeartbeatMode.IDLE and population.notes_last_seen
    )
    steps = [(step + 0.5) / _CASES * timetable.window_seconds for step in range(_CASES)]
    cases = [questioning(timetable, asked_at) for asked_at in steps]
    due = sum(case.due for case in cases) / _CASES
    looks = sum(case.looks for case in cases) / _CASES
    return (looks, due) if is_post else (looks + due, 0.0)


def _may_be_silent_seconds(timetable: Timetable, asked_at: float) -> float:
    """How long a socket may have been silent that waits for its next turn without a heartbeat."""
    if timetable.triage.heartbeat_mode is HeartbeatMode.OFF:
        return float("inf")
    next_turn_in = timetable.interval_seconds + timetable.window_seconds - asked_at
    return max(0.0, timetable.triage.heartbeat_interval_seconds - next_turn_in)


def _probes_at(
    population: Population, timetable: Timetable, may_be_silent: float
) -> tuple[float, float]:
    """The parts of the connections that are checked, and that get a heartbeat."""
    rules, interval = timetable.triage, timetable.interval_seconds
    left_alone = _left_alone_seconds(population, timetable, may_be_silent)
    signs_per_second = _signs_of_life_per_second(population)
    if population.notes_last_seen:
        asked = _silent_part(left_alone, signs_per_second, interval, rules.heartbeat_mode)
    else:
        asked = exp(-left_alone / population.mean_life_seconds)
    match rules.heartbeat_mode:
        case HeartbeatMode.OFF:
            return asked, 0.0
        case HeartbeatMode.ALWAYS:
            return 0.0, asked
        case HeartbeatMode.IDLE:
            silent = _silent_part(may_be_silent, signs_per_second, interval, rules.heartbeat_mode)
            checked = asked - silent if population.notes_last_seen else asked
            return max(0.0, checked), silent


def _left_alone_seconds(
    population: Population, timetable: Timetable, may_be_silent: float
) -> float:
    """How long a row is left alone after its last sign of life, or else after its birth."""
    rules = timetable.triage
    own = rules.fresh_seconds if population.notes_last_seen else rules.newborn_grace_seconds
    return min(own, may_be_silent)


def _signs_of_life_per_second(population: Population) -> float:
    """A client's messages, and that it was opened at all."""
    return population.messages_per_minute / 60 + 1 / population.mean_life_seconds


def evict_seconds(population: Population, timetable: Timetable, window: float) -> list[float]:
    """How long zombies stay, all cases equally likely, in order.

    Until the row is left alone no longer, then until its turn, then until it is convicted.
    """
    if population.notes_last_seen:
        signs_per_second = _signs_of_life_per_second(population)
    else:
        signs_per_second = 1 / population.mean_life_seconds
    cases = [(step + 0.5) / _CASES for step in range(_CASES)]
    seconds = []
    for asked_at in (case * window for case in cases):
        left_alone = _left_alone_seconds(
            population, timetable, _may_be_silent_seconds(timetable, asked_at)
        )
        questioned = questioning(timetable, asked_at).seconds
        for case in cases:
            silent_already = -log(1 - case) / signs_per_second
            still_left_alone = max(0.0, left_alone - silent_already)
            rest = still_left_alone + questioned
            seconds += [rest + turn * timetable.interval_seconds for turn in cases]
    return sorted(seconds)


def _silent_part(seconds: float, per_second: float, interval: float, mode: HeartbeatMode) -> float:
    """The part of the connections that have been silent for so long when their turn comes.

    They break their silence ``per_second``, by a message or by being opened. A heartbeat breaks it
    too: of the turns that fall within ``seconds`` only one can have brought one.
    """
    silent = exp(-seconds * per_second)
    if mode is HeartbeatMode.OFF or seconds == float("inf"):
        return silent
    turns = floor(seconds / interval)
    unbroken = exp(-interval * per_second)
    return silent * (1 - unbroken) / (1 - unbroken ** (turns + 1))
