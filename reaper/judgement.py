"""Judgement: what each endpoint has answered, and the zombies that wait for the breaker's word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from reaper.core.breaker import BreakerLimits, Evidence, HoldReason, explain, judge, judge_age
from reaper.core.model import Endpoint, Row
from reaper.core.report import Tally
from reaper.eviction import Evictor, Zombie

log = structlog.get_logger()


@dataclass(slots=True)
class Site:
    """One endpoint: its answers so far, and the rows that wait for judgement on it."""

    evidence: Evidence = field(default_factory=Evidence)
    gone: list[Zombie] = field(default_factory=list)
    expired: list[Zombie] = field(default_factory=list)
    expired_seen: int = 0
    is_asked: bool = False
    """Whether there is a question to it; the rows of some endpoints are all left alone."""
    controls: list[Row] = field(default_factory=list)
    """Rows that were left alone, kept as witnesses in case the evidence needs some."""


_CURED_BY_WITNESSES = (HoldReason.UNPROVEN_ENDPOINT, HoldReason.TOO_MANY_GONE)


class Judgement:
    """Evicts or holds what waits: every endpoint by its own evidence."""

    def __init__(
        self,
        limits: BreakerLimits,
        evictor: Evictor,
        tally: Tally,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._limits = limits
        self._evictor = evictor
        self._tally = tally
        self._is_stopping = is_stopping
        self._sites: defaultdict[Endpoint, Site] = defaultdict(Site)
        self.hold_reason: HoldReason | None = None

    def site(self, endpoint: Endpoint) -> Site:
        return self._sites[endpoint]

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
    def waiting(self) -> int:
        """Zombies that have not been judged yet."""
        return sum(len(site.gone) + len(site.expired) for site in self._sites.values())

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
        for site in self._sites.values():
            gone, site.gone = site.gone, []
            expired, site.expired = site.expired, []
            if self._is_stopping():
                self._tally.held += len(gone) + len(expired)
                continue
            self._act(gone, judge(site.evidence, self._limits), site.evidence)
            if expired:
                self._act(expired, judge_age(site.evidence), site.evidence)

    def revoke_age(self, site: Site) -> list[Zombie]:
        """Age has turned out to prove nothing here: hold the rows that were dead by age alone."""
        expired, site.expired = site.expired, []
        self._hold(expired, HoldReason.AGE_CONTRADICTED, site.evidence)
        return expired

    def _act(self, zombies: list[Zombie], reason: HoldReason | None, evidence: Evidence) -> None:
        if reason is None:
            self._evictor.evict(zombies, self._is_stopping)
        else:
            self._hold(zombies, reason, evidence)

    def _hold(self, zombies: list[Zombie], reason: HoldReason, evidence: Evidence) -> None:
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
        )
