"""The evidence rule: no row goes that was not itself found dead, three times, at moments when the
gateway is known to have told the truth.

A *suspect* is an id that has answered 410. A *strike* is a 410 before which, since the strike
before, another id of the same endpoint answered 200; the first needs none. Three strikes, far
enough apart, convict. A 200 of its own acquits; any other answer ends the questioning for this
sweep.

Nothing waits for ever: who still answers 410 when no socket can live for so long is convicted,
whatever holds the others. That needs no honest gateway, and no clock but the one that never goes
back.

All moments are seconds of that clock. Everything here is decided, and nothing done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import NamedTuple

from reaper.core.platform import CONNECT_MAY_TAKE_SECONDS

STRIKES = 3

USUAL_DELAYS = 2
SLOW_DELAYS = 5
"""From the first strike to the third, in confirm delays. Slow is for the few rows of a small table
of which half or more would go."""

MAX_PANEL = 20
"""Its members."""

PANEL_HOLDS_SECONDS = 30.0
"""For how long it is good what a panel said."""


class EvidenceRules(NamedTuple):
    confirm_delay_seconds: float
    max_connection_age_seconds: float
    """No socket lives that long; 0 where that is not known."""


class Standing(NamedTuple):
    """What is known of an endpoint, as far as it bears on its suspects."""

    voids: int = 0
    """How often it has contradicted itself."""
    alive_at: float = -inf
    """When the last probe was sent that was answered 200."""
    is_held: bool = False
    """Whether the breaker holds what its word would evict."""
    is_slow: bool = False
    may_call_witnesses: bool = False
    """Whether there is anybody left to be asked for a 200."""
    may_weigh: bool = False
    """Whether rows that were left alone may still show that most of the table lives."""
    panel_at: float = -inf
    """When a panel last bore its word out."""
    is_trusted: bool = False
    """The operator vouches for it: no panel is called, and no witness where nobody lives."""

    @property
    def should_weigh(self) -> bool:
        """Whether fresh rows are to be asked, since most of the others seem gone."""
        return self.may_weigh and (self.is_held or self.is_slow)

    @property
    def needs_witness(self) -> bool:
        return self.alive_at > -inf or not self.is_trusted


@dataclass(slots=True)
class Suspect:
    """An id that has answered 410, and not 200 since."""

    first_410_at: float
    """When that answer came."""
    last_410_at: float
    """When the probe was sent that it last answered so."""
    voids: int
    """How often its endpoint had contradicted itself when its strikes began."""
    strikes: tuple[float, ...]
    """When the answers came that count."""
    connection: int = 0
    """The number of the connection that carried its last answer; the next comes over another."""
    witnesses: tuple[float, ...] = ()
    """For each strike but the first, when another id was asked that had answered 200 before it."""

    @classmethod
    def after_410(
        cls, sent_at: float, answered_at: float, standing: Standing, connection: int = 0
    ) -> Suspect:
        return cls(answered_at, sent_at, standing.voids, (answered_at,), connection)

    def add_410(
        self,
        sent_at: float,
        answered_at: float,
        standing: Standing,
        rules: EvidenceRules,
        born_at: float | None,
        connection: int = 0,
    ) -> None:
        """Note one more, which is a strike if it comes late enough and has its witness."""
        self.last_410_at, self.connection = sent_at, connection
        is_witnessed = not self.strikes or has_witness(self, standing)
        if is_witnessed and sent_at >= strike_from(self, standing, rules, born_at):
            if self.strikes:
                self.witnesses = (*self.witnesses[: STRIKES - 2], standing.alive_at)
            self.strikes = (*self.strikes[: STRIKES - 1], answered_at)

    def begin_again(self, standing: Standing) -> None:
        """Its strikes count no more. When it was first seen still does."""
        self.voids, self.strikes, self.witnesses = standing.voids, (), ()

    def postpone(self) -> None:
        """Its last strike is asked for again when it is convicted after all."""
        self.strikes = self.strikes[: STRIKES - 1]

    def contradicts(self) -> bool:
        """Whether a 200 now would be one that no sane gateway gives after such 410s."""
        return self.last_410_at - self.first_410_at >= CONNECT_MAY_TAKE_SECONDS


class Next(Enum):
    LOOK = "look"
    """Ask it again; before that moment, decide again."""
    WITNESS = "witness"
    """First ask others for a 200."""
    PANEL = "panel"
    """First ask some again who were alive a short while ago."""
    WAIT = "wait"
    """Not in this sweep."""
    VOID = "void"
    """Its endpoint has contradicted itself: begin again."""
    CONVICT = "convict"
    CONVICT_BY_AGE = "convict by age"

    @property
    def is_conviction(self) -> bool:
        return self in (Next.CONVICT, Next.CONVICT_BY_AGE)


class Step(NamedTuple):
    what: Next
    at: float = -inf
    """From when on."""


def next_step(
    suspect: Suspect,
    standing: Standing,
    rules: EvidenceRules,
    now: float,
    born_at: float | None,
) -> Step:
    """What is next for a suspect.

    ``born_at`` is when its connection was opened, by a time on its row that living rows have shown
    to be just that; None where that is not known.
    """
    if _is_too_old(suspect, rules, born_at):
        if suspect.contradicts():
            return Step(Next.CONVICT_BY_AGE)
        return Step(Next.LOOK, suspect.first_410_at + CONNECT_MAY_TAKE_SECONDS)
    if suspect.voids != standing.voids:
        return Step(Next.VOID)
    if not standing.is_held and _is_convicted(suspect, standing, now):
        return Step(Next.CONVICT)
    strikes = suspect.strikes[: STRIKES - 1]
    from_at = (strikes[-1] if strikes else suspect.last_410_at) + rules.confirm_delay_seconds
    if now < from_at:
        return Step(Next.LOOK, from_at)
    if len(strikes) == STRIKES - 1 and (step := _before_last_strike(standing, now)):
        return step
    if now < (last_strike_from := strike_from(suspect, standing, rules, born_at)):
        return Step(Next.LOOK, last_strike_from)
    if strikes and not has_witness(suspect, standing):
        return Step(Next.WITNESS if standing.may_call_witnesses else Next.WAIT)
    return Step(Next.LOOK, now)


def _is_convicted(suspect: Suspect, standing: Standing, now: float) -> bool:
    """Whether it has its strikes, the last of them a short while after a panel."""
    if len(suspect.strikes) < STRIKES:
        return False
    is_of_now = now - standing.panel_at <= PANEL_HOLDS_SECONDS
    return standing.is_trusted or (is_of_now and suspect.strikes[-1] >= standing.panel_at)


def _before_last_strike(standing: Standing, now: float) -> Step | None:
    """What has to be known of the endpoint before one of its suspects may go."""
    if standing.should_weigh:
        return Step(Next.WITNESS)
    if standing.is_held:
        return Step(Next.WAIT)
    if not standing.is_trusted and now - standing.panel_at > PANEL_HOLDS_SECONDS:
        return Step(Next.PANEL)
    return None


def has_witness(suspect: Suspect, standing: Standing) -> bool:
    """Whether another id answered 200 since its last strike; its own would have acquitted it."""
    before = suspect.strikes[: STRIKES - 1][-1]
    return standing.alive_at > before or not standing.needs_witness


def strike_from(
    suspect: Suspect, standing: Standing, rules: EvidenceRules, born_at: float | None
) -> float:
    """From when on a probe may bring its next strike."""
    strikes, delay = suspect.strikes[: STRIKES - 1], rules.confirm_delay_seconds
    if not strikes:
        return -inf
    if len(strikes) < STRIKES - 1:
        return strikes[-1] + delay
    span = delay * (SLOW_DELAYS if standing.is_slow else USUAL_DELAYS)
    may_be_newborn = born_at is None or strikes[0] - born_at < CONNECT_MAY_TAKE_SECONDS
    if may_be_newborn:
        span = max(span, CONNECT_MAY_TAKE_SECONDS)
    return max(strikes[-1] + delay, strikes[0] + span)


def _is_too_old(suspect: Suspect, rules: EvidenceRules, born_at: float | None) -> bool:
    """Whether no socket of its age could live, by what this process saw or by its own time."""
    begun_at = min(suspect.first_410_at, inf if born_at is None else born_at)
    return 0 < rules.max_connection_age_seconds <= suspect.last_410_at - begun_at
