"""The circuit breaker: whether this sweep's evidence is good enough to evict on.

An API that exists but is the wrong one answers 410 for every row. That is how a tool of this
kind destroys a table, and what these rules are against.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reaper.core.model import Outcome

LEARNS_NOTHING_AFTER = 20
"""So many answers without a single 200 or 410 among them, and a sweep is cut short."""


class HoldReason(StrEnum):
    UNPROVEN_ENDPOINT = "unproven-endpoint"
    TOO_MANY_GONE = "too-many-gone"
    TOO_MANY_UNKNOWN = "too-many-unknown"
    DENIED = "denied"
    AGE_CONTRADICTED = "age-contradicted"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    max_gone_fraction: float
    min_gone_rows: int
    """Fewer zombies than this are never too many."""
    max_unknown_fraction: float
    trust_endpoint: bool = False
    """The operator vouches for the endpoint: a proof and a limit on zombies are not asked for."""


@dataclass(slots=True)
class Evidence:
    """What one endpoint has answered in this sweep, counted in rows.

    Every row that was due ends as alive, confirmed or unknown. ``gone`` counts first answers of
    410 on the way there, ``denied`` and ``throttled`` are kinds of unknown.
    """

    alive: int = 0
    gone: int = 0
    confirmed: int = 0
    unknown: int = 0
    denied: int = 0
    throttled: int = 0
    unasked: int = 0
    """Unknown because this endpoint told nothing, so that it was asked no more."""
    controls_alive: int = 0
    """Rows that were left alone as young or fresh, asked as witnesses, that answered 200."""
    expired_suspected: int = 0
    """Expired rows that were asked all the same, and answered 410 the first time."""
    expired_gone: int = 0
    """Those that did so the second time too, as they should."""
    expired_alive: int = 0
    """Expired rows that answered 200: their timestamps do not mean what the rule assumes."""
    expired_unknown: int = 0
    expired_denied: int = 0
    pongs: int = 0
    """Rows whose client was heard of after a heartbeat."""
    deaf: int = 0
    """Rows whose client missed so many in a row that it counts as deaf."""
    untold_answers: int = 0
    """Answers, not rows, that were neither 200 nor 410."""

    @property
    def known(self) -> int:
        """Answers that told something, whatever the question was."""
        return self.witnesses + self.gone + self.expired_suspected + self.expired_alive

    @property
    def witnesses(self) -> int:
        """Rows that answered 200: what proves an endpoint."""
        return self.alive + self.controls_alive

    @property
    def learns_nothing(self) -> bool:
        """Whether it is time to stop asking: all was denied, throttled or unknown so far."""
        return self.known == 0 and self.untold_answers >= LEARNS_NOTHING_AFTER

    def count_unknown(self, outcome: Outcome, rows: int) -> None:
        self.untold_answers += 1
        self.unknown += rows
        if outcome is Outcome.DENIED:
            self.denied += rows
        elif outcome is Outcome.THROTTLED:
            self.throttled += rows

    def count_unasked(self, rows: int) -> None:
        self.unknown += rows
        self.unasked += rows

    def convict_deaf(self, rows: int) -> None:
        """Their heartbeats were taken, but they are as gone as those that answered 410 twice."""
        self.alive -= rows
        self.gone += rows
        self.confirmed += rows

    def count_untold_age(self, outcome: Outcome) -> None:
        """An expired row of the sample whose answer told nothing."""
        self.untold_answers += 1
        self.expired_unknown += 1
        self.expired_denied += outcome is Outcome.DENIED


def judge(evidence: Evidence, limits: BreakerLimits) -> HoldReason | None:
    """Why nothing may be evicted on this endpoint's word, or None when its word is good.

    A few unknown answers where there is no zombie anyway are nobody's concern; refusals are.
    """
    decided = evidence.alive + evidence.confirmed + evidence.unknown
    if decided and evidence.unknown / decided > limits.max_unknown_fraction:
        if evidence.denied * 2 > evidence.unknown - evidence.unasked:
            return HoldReason.DENIED
        if evidence.confirmed or not evidence.known:
            return HoldReason.TOO_MANY_UNKNOWN
    if limits.trust_endpoint or not evidence.confirmed:
        return None
    if not evidence.witnesses:
        return HoldReason.UNPROVEN_ENDPOINT
    answered = evidence.witnesses + evidence.confirmed
    if (
        evidence.confirmed >= limits.min_gone_rows
        and evidence.confirmed / answered > limits.max_gone_fraction
    ):
        return HoldReason.TOO_MANY_GONE
    return None


def judge_age(evidence: Evidence, limits: BreakerLimits) -> HoldReason | None:
    """Why expired rows may not be evicted by their age, or None when the sample bears it out.

    One 200 refutes the rule. A sample of which too few answers told anything verifies nothing, and
    what is not verified is not acted on.
    """
    if evidence.expired_alive:
        return HoldReason.AGE_CONTRADICTED
    asked = evidence.expired_gone + evidence.expired_unknown
    if evidence.expired_gone and evidence.expired_unknown / asked <= limits.max_unknown_fraction:
        return None
    return HoldReason.DENIED if evidence.expired_denied else HoldReason.TOO_MANY_UNKNOWN


def judge_deaf(evidence: Evidence, limits: BreakerLimits) -> HoldReason | None:
    """Why no client may be called deaf, or None when the missed pongs mean what they should.

    Where nobody answers, it is the application that does not write down what it hears. A gateway
    whose word is not good enough to evict on is not told to close sockets either, whoever
    vouches for the endpoint.
    """
    if reason := judge(evidence, limits):
        return reason
    if not evidence.pongs:
        return HoldReason.TOO_MANY_GONE
    heard_or_deaf = evidence.pongs + evidence.deaf
    if (
        evidence.deaf >= limits.min_gone_rows
        and evidence.deaf / heard_or_deaf >= limits.max_gone_fraction
    ):
        return HoldReason.TOO_MANY_GONE
    return None


def explain_deaf(evidence: Evidence) -> str:
    """Why clients that answer no heartbeat were left alone, in one sentence for an operator."""
    return (
        f"{evidence.deaf} clients answered none of their last heartbeats and {evidence.pongs}"
        " answered: while that is so the fault is likelier on the application's side. It must note"
        " a pong in REAPER_LAST_SEEN_ATTRIBUTE; or switch pongs off with"
        " REAPER_PONG_TIMEOUT_SECONDS=0"
    )


def explain(reason: HoldReason, evidence: Evidence, limits: BreakerLimits) -> str:
    """The numbers that led to a hold, and what to look at, in one sentence for an operator."""
    answered = evidence.witnesses + evidence.confirmed
    denied = evidence.denied + evidence.expired_denied
    unknown = evidence.unknown + evidence.expired_unknown
    match reason:
        case HoldReason.UNPROVEN_ENDPOINT if evidence.expired_alive:
            return (
                f"{evidence.confirmed} rows answered 410 twice, and the"
                f" {evidence.expired_alive} that answered 200 are expired by"
                " REAPER_CONNECTED_AT_ATTRIBUTE, so that does not hold the time of connection:"
                " correct it first"
            )
        case HoldReason.UNPROVEN_ENDPOINT:
            return (
                f"{evidence.confirmed} rows answered 410 twice but not one answered 200, so the"
                " endpoint may be another API's: check REAPER_API_ENDPOINT, or vouch for it once"
                " with 'reaper sweep --trust-endpoint'"
            )
        case HoldReason.TOO_MANY_GONE:
            return (
                f"{evidence.confirmed} of {answered} answering rows are zombies, more than"
                f" REAPER_MAX_GONE_FRACTION={limits.max_gone_fraction:g} allows: check that no"
                " other API's rows share this table; if they are zombies, evict them once with"
                " 'reaper sweep --trust-endpoint', or wait: those with a time of connection go by"
                " age within about two hours"
            )
        case HoldReason.TOO_MANY_UNKNOWN:
            return (
                f"{unknown} of {evidence.known + unknown} answers were neither 200 nor 410"
                f" ({evidence.throttled} throttled, {denied} denied), more than"
                f" REAPER_MAX_UNKNOWN_FRACTION={limits.max_unknown_fraction:g} allows: the log"
                " line 'answers that told nothing' says what they were"
            )
        case HoldReason.DENIED:
            return (
                f"{denied} of {evidence.known + unknown} answers were 403: the stage in"
                " REAPER_API_ENDPOINT is wrong, or execute-api:ManageConnections is not granted"
                " for GET and POST on @connections/*"
            )
        case HoldReason.AGE_CONTRADICTED:
            return (
                f"{evidence.expired_alive} sampled connections older than"
                " REAPER_MAX_CONNECTION_AGE_SECONDS answered 200: the attribute in"
                " REAPER_CONNECTED_AT_ATTRIBUTE does not hold the time of connection"
            )
