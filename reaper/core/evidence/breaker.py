"""The circuit breaker: whether an endpoint's answers as a whole are good enough to evict on.

An API that exists but is the wrong one answers 410 for every row. That is how a tool of this
kind destroys a table, and what these rules are against.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reaper.core.model import Outcome
from reaper.core.refusals import Refusal

UNRESPONSIVE_AFTER_ANSWERS = 20
"""So many answers without a single 200 or 410 among them, and a sweep is cut short."""

MAX_DEAF_FRACTION = 0.05
"""Of the clients that took a heartbeat, no more are deaf at once; or else one of a few."""

MIN_CLIENTS_OF_FRACTION = 20


class HoldReason(StrEnum):
    UNPROVEN_ENDPOINT = "unproven-endpoint"
    TOO_MANY_GONE = "too-many-gone"
    TOO_MANY_UNKNOWN = "too-many-unknown"
    DENIED = "denied"
    AGE_CONTRADICTED = "age-contradicted"
    SHARED_TABLE = "shared-table"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    max_gone_fraction: float
    min_gone_rows: int
    """Fewer zombies are never too many: they are questioned for longer instead."""
    max_unknown_fraction: float
    trust_endpoint: bool = False
    """The operator vouches for the endpoint: no witness, no panel and no limit on zombies."""


class Harvest(NamedTuple):
    """The rows of one sweep, or of a part of one, that answered."""

    dead: int
    answered: int

    def is_too_much(self, limits: BreakerLimits) -> bool:
        """Whether so large a part would go, however few rows that are."""
        return self.dead > 0 and self.dead >= limits.max_gone_fraction * self.answered

    def plus(self, other: Harvest) -> Harvest:
        return Harvest(self.dead + other.dead, self.answered + other.answered)


NOBODY = Harvest(0, 0)


@dataclass(slots=True)
class Counts:
    """What one endpoint has answered in this sweep, counted in rows where nothing else is said.

    Every row that was due or expired ends as alive, confirmed, unknown or pending. ``gone`` counts
    first answers of 410 on the way there; ``denied``, ``throttled`` and ``rejected`` are kinds of
    unknown.
    """

    alive: int = 0
    gone: int = 0
    withdrawn: int = 0
    """Of those, the ones that ended as alive or unknown after all."""
    confirmed: int = 0
    unknown: int = 0
    denied: int = 0
    throttled: int = 0
    rejected: int = 0
    unasked: int = 0
    """Unknown because this endpoint was unresponsive, so that it was asked no more."""
    left_fresh: int = 0
    """Rows that were left alone as fresh."""
    weighed: int = 0
    """Of those, the ones that were asked all the same and answered 200 or 410."""
    weighed_alive: int = 0
    witnesses: int = 0
    """Answers of 200 by ids that were asked as witnesses or in a panel."""
    pongs: int = 0
    """Clients that were heard of after a heartbeat."""
    deaf: int = 0
    """Clients that missed so many in a row that they count as deaf."""
    inconclusive_answers: int = 0
    """Answers, not rows, that were neither 200 nor 410."""
    ids: int = 0
    """Usable ids on a host of API Gateway's own."""
    ids_of_one_case: int = 0

    @property
    def is_unresponsive(self) -> bool:
        """Whether it is time to stop asking: all was denied, throttled or unknown so far."""
        is_silent = not (self.has_life or self.gone)
        return is_silent and self.inconclusive_answers >= UNRESPONSIVE_AFTER_ANSWERS

    @property
    def has_life(self) -> bool:
        """Whether anybody at all has answered 200."""
        return bool(self.alive or self.witnesses)

    @property
    def harvest(self) -> Harvest:
        """Those who would go, of those who answered.

        Rows that were left alone as fresh count as alive, as far as a sample of them was.
        """
        dead = self.gone - self.withdrawn
        alive = self.alive
        if self.weighed:
            alive += round(self.left_fresh * self.weighed_alive / self.weighed)
        return Harvest(dead, dead + alive)

    @property
    def faults(self) -> int:
        """Unknown rows that speak against the gateway: not those whose own id it rejects."""
        return self.unknown - (self.rejected if self.alive else 0)

    @property
    def has_ids_of_one_case(self) -> bool:
        """Whether most ids lack capitals, or have nothing else: some library changed them.

        True ids are of mixed case; one in 2,500 is not, by chance.
        """
        return self.ids_of_one_case * 2 > self.ids

    def count_inconclusive(self, outcome: Outcome, rows: int) -> None:
        self.inconclusive_answers += 1
        self.unknown += rows
        self.denied += rows * (outcome is Outcome.DENIED)
        self.throttled += rows * (outcome is Outcome.THROTTLED)
        self.rejected += rows * (outcome is Outcome.REJECTED)

    def count_unasked(self, rows: int) -> None:
        self.unknown += rows
        self.unasked += rows


class Findings(NamedTuple):
    """What the breaker goes by, for one endpoint."""

    counts: Counts
    last_harvest: Harvest = NOBODY
    """Of the last whole sweep."""
    panel: Harvest | None = None
    """What those said who had been alive a short while before, if they were asked."""
    is_shared_table: bool = False
    refusal: Refusal | None = None
    """Why AWS refused, where it explained that."""
    inconclusive: str = ""
    """What most answers were that were neither 200 nor 410, for a person."""

    @property
    def harvests(self) -> tuple[Harvest, Harvest]:
        return self.counts.harvest, self.last_harvest


def hold_of(findings: Findings, limits: BreakerLimits) -> HoldReason | None:
    """Why nothing may be evicted on this endpoint's word, or None when its word is good.

    Whether anybody lives who proves it is left to the evidence rule, suspect by suspect.
    """
    counts = findings.counts
    if reason := _hold_of_inconclusive(counts, limits):
        return reason
    if counts.has_ids_of_one_case and counts.gone:
        return HoldReason.UNPROVEN_ENDPOINT
    if findings.is_shared_table:
        return HoldReason.SHARED_TABLE
    if limits.trust_endpoint:
        return None
    for harvest in findings.harvests:
        if harvest.dead >= limits.min_gone_rows and harvest.is_too_much(limits):
            return HoldReason.TOO_MANY_GONE if counts.has_life else HoldReason.UNPROVEN_ENDPOINT
    return _hold_of_panel(counts, findings.panel, limits)


def is_slow(findings: Findings, limits: BreakerLimits) -> bool:
    """Whether so few rows answered that half of them going is no reason to hold, but to doubt."""
    if limits.trust_endpoint:
        return False
    running, last = findings.harvests
    return running.is_too_much(limits) or last.is_too_much(limits)


def has_too_many_unknown(counts: Counts, limits: BreakerLimits) -> bool:
    """Whether so many rows got no answer that tells anything: no heartbeat reached them either."""
    if not counts.faults:
        return False
    decided = counts.alive + counts.harvest.dead + counts.faults
    return counts.faults >= limits.max_unknown_fraction * decided


def _hold_of_inconclusive(counts: Counts, limits: BreakerLimits) -> HoldReason | None:
    """Where there is no zombie anyway they hold nobody, unless they are refusals."""
    if not has_too_many_unknown(counts, limits):
        return None
    dead, answered = counts.harvest
    if counts.denied * 2 > counts.faults - counts.unasked:
        return HoldReason.DENIED
    return HoldReason.TOO_MANY_UNKNOWN if dead or not answered else None


def _hold_of_panel(
    counts: Counts, panel: Harvest | None, limits: BreakerLimits
) -> HoldReason | None:
    if panel is None:
        return None
    if not panel.answered:
        return HoldReason.TOO_MANY_UNKNOWN if counts.has_life else HoldReason.UNPROVEN_ENDPOINT
    is_refuted = panel.dead * 2 >= panel.answered
    if is_refuted or (panel.dead and counts.harvest.plus(panel).is_too_much(limits)):
        return HoldReason.TOO_MANY_GONE
    return None


def hold_of_deaf(findings: Findings, limits: BreakerLimits) -> HoldReason | None:
    """Why no client may be called deaf, or None when the missed pongs mean what they should.

    Where many do not answer, it is likelier that the application does not write down what it
    hears. A gateway whose word is not good enough to evict on is not told to close sockets either.
    """
    if reason := hold_of(findings, limits):
        return reason
    return HoldReason.TOO_MANY_GONE if _has_too_many_deaf(findings.counts) else None


def _has_too_many_deaf(counts: Counts) -> bool:
    """Whether so many do not answer that it is likelier the application's fault than theirs."""
    clients = counts.pongs + counts.deaf
    most = max(1.0, MAX_DEAF_FRACTION * clients) if clients >= MIN_CLIENTS_OF_FRACTION else 1.0
    return not counts.pongs or counts.deaf > most
