"""Judgement: what each endpoint has answered, and the zombies that wait for the breaker's word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from math import ceil
from operator import attrgetter

import structlog

from reaper.context import SweepContext
from reaper.core.breaker import (
    BreakerLimits,
    Evidence,
    HoldReason,
    explain,
    explain_deaf,
    judge,
    judge_age,
    judge_deaf,
)
from reaper.core.model import Endpoint, Row, Zombie
from reaper.eviction import Evictor

log = structlog.get_logger()


AGE_SAMPLE_ALWAYS = 50
AGE_SAMPLE_EVERY = 20
"""Of the expired rows the first 50 are asked all the same, and then one in twenty."""

MOST_CONTROLS = 100
"""Of the rows that are left alone, so many are remembered as possible witnesses."""


@dataclass(slots=True)
class Site:
    """One endpoint: its answers so far, and the rows that wait for judgement on it."""

    evidence: Evidence = field(default_factory=Evidence)
    gone: list[Zombie] = field(default_factory=list)
    expired: list[Zombie] = field(default_factory=list)
    deaf: list[Zombie] = field(default_factory=list)
    expired_seen: int = 0
    sampled: int = 0
    """Expired rows of the sample whose answer is awaited."""
    is_asked: bool = False
    """Whether there is a question to it; the rows of some endpoints are all left alone."""
    controls: list[Row] = field(default_factory=list)
    """Rows that were left alone, kept as witnesses in case the evidence needs some."""

    def takes_sample(self) -> bool:
        """Whether the next expired row is one of those that are asked all the same."""
        self.expired_seen += 1
        seen = self.expired_seen
        is_sampled = seen <= AGE_SAMPLE_ALWAYS or seen % AGE_SAMPLE_EVERY == 0
        self.sampled += is_sampled
        return is_sampled


_CURED_BY_WITNESSES = (HoldReason.UNPROVEN_ENDPOINT, HoldReason.TOO_MANY_GONE)


class Judgement:
    """Evicts or holds what waits: every endpoint by its own evidence."""

    def __init__(self, context: SweepContext, evictor: Evictor) -> None:
        self._context = context
        self._tally = context.tally
        self._is_stopping = context.is_stopping
        self._evictor = evictor
        self._sites: defaultdict[Endpoint, Site] = defaultdict(Site)
        self.hold_reason: HoldReason | None = None

    def site(self, endpoint: Endpoint) -> Site:
        return self._sites[endpoint]

    @property
    def _limits(self) -> BreakerLimits:
        """The floor in rows is the table's, so a portion has its part of it."""
        limits = self._context.rules.breaker
        return replace(limits, min_gone_rows=ceil(limits.min_gone_rows * self._context.share()))

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self._sites)

    @property
    def evidence(self) -> list[Evidence]:
        return [site.evidence for site in self._sites.values()]

    @property
    def is_blind(self) -> bool:
        """Whether no endpoint tells anything: all was denied, throttled or unknown."""
        asked = [site.evidence for site in self._sites.values() if site.is_asked]
        return bool(asked) and all(one.learns_nothing for one in asked)

    @property
    def blind(self) -> list[tuple[Endpoint, Site]]:
        """The endpoints that tell nothing, and need not be asked any more in this sweep."""
        return [
            (endpoint, site)
            for endpoint, site in self._sites.items()
            if site.is_asked and site.evidence.learns_nothing
        ]

    @property
    def waiting(self) -> int:
        """Zombies that have not been judged yet."""
        return sum(
            len(site.gone) + len(site.expired) + len(site.deaf) for site in self._sites.values()
        )

    def remember_witnesses(self, rows: Iterable[Row]) -> None:
        """Rows that were left alone; a few of each endpoint are enough."""
        for endpoint, same in groupby(rows, key=attrgetter("endpoint")):
            controls = self._sites[endpoint].controls
            controls += islice(same, max(0, MOST_CONTROLS - len(controls)))

    def call_witnesses(self) -> list[tuple[Endpoint, Row]]:
        """Rows to be asked because the evidence against the zombies lacks living witnesses.

        Where all who live are young or fresh nobody of them is asked, and an endpoint that
        answers truly looks like another API's. Each witness is called once.
        """
        called: list[tuple[Endpoint, Row]] = []
        for endpoint, site in self._sites.items():
            if judge(site.evidence, self._limits) in _CURED_BY_WITNESSES:
                called += [(endpoint, row) for row in site.controls]
                site.controls = []
        return called

    def settle(self) -> None:
        """Judge what waits, then evict it or hold it. Told to stop, hold it without a verdict."""
        for endpoint, site in self._sites.items():
            gone, site.gone = site.gone, []
            expired, site.expired = site.expired, []
            deaf, site.deaf = site.deaf, []
            unanswered, site.sampled = site.sampled, 0
            self._tally.held += unanswered
            if self._is_stopping():
                self._tally.held += len(gone) + len(expired)
                continue
            self._act(endpoint, gone, judge(site.evidence, self._limits), site.evidence)
            if site.expired_seen:
                self._act(endpoint, expired, judge_age(site.evidence, self._limits), site.evidence)
            if deaf:
                self._act_on_deaf(endpoint, deaf, site.evidence)

    def revoke_age(self, endpoint: Endpoint) -> list[Zombie]:
        """Age has turned out to prove nothing here: hold the rows that were dead by age alone."""
        site = self._sites[endpoint]
        expired, site.expired = site.expired, []
        self._hold(endpoint, expired, HoldReason.AGE_CONTRADICTED, site.evidence)
        return expired

    def _act(
        self,
        endpoint: Endpoint,
        zombies: list[Zombie],
        reason: HoldReason | None,
        evidence: Evidence,
    ) -> None:
        if reason is not None:
            self._hold(endpoint, zombies, reason, evidence)
        elif zombies:
            self._say_what_is_trusted(endpoint, evidence)
            log.info("evictions may go", rows=len(zombies), **_numbers(endpoint, evidence))
            self._evictor.evict(zombies)

    def _act_on_deaf(self, endpoint: Endpoint, deaf: list[Zombie], evidence: Evidence) -> None:
        """Close the sockets of the deaf and evict them, if the pongs of others bear that out.

        Else they are no zombies: they stay alive, and are not counted as held.
        """
        reason = judge_deaf(evidence, replace(self._limits, trust_endpoint=False))
        if reason is None:
            evidence.convict_deaf(len(deaf))
            log.info("deaf clients may go", rows=len(deaf), **_numbers(endpoint, evidence))
            self._evictor.evict(deaf)
            return
        self.hold_reason = reason
        log.error(
            "deaf clients are left alone",
            hold_reason=reason.value,
            rows=len(deaf),
            why=explain_deaf(evidence),
            **_numbers(endpoint, evidence),
        )

    def _hold(
        self, endpoint: Endpoint, zombies: list[Zombie], reason: HoldReason, evidence: Evidence
    ) -> None:
        is_news = zombies or self.hold_reason is not reason
        self.hold_reason = reason
        self._tally.held += len(zombies)
        if not is_news:
            return
        log.error(
            "evictions are held",
            hold_reason=reason.value,
            rows=len(zombies),
            why=explain(reason, evidence, self._limits),
            **_numbers(endpoint, evidence),
        )

    def _say_what_is_trusted(self, endpoint: Endpoint, evidence: Evidence) -> None:
        untrusting = replace(self._limits, trust_endpoint=False)
        if self._limits.trust_endpoint and (reason := judge(evidence, untrusting)):
            log.warning(
                "evicting on your word: without --trust-endpoint these rows would be held",
                hold_reason=reason.value,
                why=explain(reason, evidence, untrusting),
                **_numbers(endpoint, evidence),
            )


def _numbers(endpoint: Endpoint, evidence: Evidence) -> dict[str, object]:
    """What a decision of the breaker rests on, counted in rows."""
    return {
        "endpoint": str(endpoint),
        "alive": evidence.alive,
        "witnesses": evidence.controls_alive,
        "zombies": evidence.confirmed,
        "unknown": evidence.unknown,
        "expired_gone": evidence.expired_gone,
        "expired_alive": evidence.expired_alive,
        "pongs": evidence.pongs,
        "deaf": evidence.deaf,
    }
