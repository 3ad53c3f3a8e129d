"""Verdicts: what each answer makes of the rows that it is about."""

from __future__ import annotations

from collections import Counter

import structlog

from reaper.aws.errors import AccessDenied
from reaper.context import SweepContext
from reaper.core.breaker import Evidence
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose, Reason, Row, Zombie
from reaper.judgement import Judgement, Site
from reaper.pongs import Pongs
from reaper.questions import Questions

log = structlog.get_logger()


class Verdicts:
    """Takes answers; passes suspects on to a second question and zombies on to judgement."""

    def __init__(
        self, context: SweepContext, questions: Questions, judgement: Judgement, pongs: Pongs
    ) -> None:
        self._tally = context.tally
        self._wall_clock = context.wall_clock
        self._questions = questions
        self._judgement = judgement
        self._pongs = pongs
        self._untold: Counter[str] = Counter()

    def learn(self, answer: Answer) -> None:
        probe = answer.probe
        evidence = self._judgement.site(probe.endpoint).evidence
        match probe.purpose:
            case Purpose.DUE:
                self._learn_first(answer, evidence)
            case Purpose.CONFIRM:
                self._learn_second(answer, evidence)
            case Purpose.AGE_SAMPLE:
                self._learn_age(answer, evidence)
            case Purpose.KEEPALIVE:
                self._learn_of_heartbeat(answer)
            case Purpose.CONTROL if answer.outcome is Outcome.ALIVE:
                evidence.controls_alive += len(probe.rows)
        if answer.outcome is not Outcome.ALIVE:
            return
        if probe.ask is Ask.HEARTBEAT:
            self._tally.heartbeats += 1
            self._pongs.expect(probe)
        elif probe.purpose in (Purpose.DUE, Purpose.CONFIRM, Purpose.KEEPALIVE):
            self._questions.follow_up(answer)

    def leave_unasked(self, probe: Probe, site: Site) -> None:
        """A question that is not put any more, to an endpoint that tells nothing."""
        if probe.purpose is Purpose.AGE_SAMPLE:
            site.sampled -= 1
            self._tally.held += 1
        elif probe.purpose in (Purpose.DUE, Purpose.CONFIRM):
            site.evidence.count_unasked(len(probe.rows))

    @property
    def fault(self) -> AccessDenied | None:
        """What kept heartbeats from being sent, if most of them were refused."""
        refused = self._tally.heartbeats_refused
        if refused <= self._tally.heartbeats:
            return None
        return AccessDenied(
            f"the gateway refused {refused} heartbeats: grant execute-api:ManageConnections for"
            " POST on @connections/*, or set REAPER_HEARTBEAT_MODE=off"
        )

    def log_untold(self) -> None:
        """Say once per sweep what the answers were that told nothing."""
        if self._untold:
            most_frequent = dict(self._untold.most_common(3))
            log.warning("answers that told nothing", most_frequent=most_frequent)

    def _learn_first(self, answer: Answer, evidence: Evidence) -> None:
        rows = answer.probe.rows
        match answer.outcome:
            case Outcome.ALIVE:
                evidence.alive += len(rows)
                self._tally.count_messages(rows, self._wall_clock())
            case Outcome.GONE:
                evidence.gone += len(rows)
                self._questions.confirm(answer.probe)
            case _:
                self._learn_nothing(answer, evidence)

    def _learn_second(self, answer: Answer, evidence: Evidence) -> None:
        probe = answer.probe
        match answer.outcome:
            case Outcome.GONE:
                evidence.confirmed += len(probe.rows)
                site = self._judgement.site(probe.endpoint)
                two_410s = _two_410s(probe, self._wall_clock())
                site.gone += [Zombie(row, Reason.GONE, two_410s) for row in probe.rows]
            case Outcome.ALIVE:
                evidence.alive += len(probe.rows)
                self._tally.count_messages(probe.rows, self._wall_clock())
                log.info("suspect is alive after all", connection_id=probe.connection_id)
            case _:
                self._learn_nothing(answer, evidence)

    def _learn_of_heartbeat(self, answer: Answer) -> None:
        """A heartbeat that followed a check. It says nothing of life or death."""
        if answer.outcome is Outcome.GONE:
            if answer.probe.suspect_since is None:
                self._questions.try_again(answer.probe)
        elif answer.outcome is not Outcome.ALIVE:
            self._untold[f"heartbeat: {answer.detail}"] += 1
            self._tally.heartbeats_refused += answer.outcome is Outcome.DENIED

    def _learn_nothing(self, answer: Answer, evidence: Evidence) -> None:
        evidence.count_unknown(answer.outcome, len(answer.probe.rows))
        self._untold[answer.detail] += 1

    def _learn_age(self, answer: Answer, evidence: Evidence) -> None:
        """An expired row goes by its age, but not against its own answer."""
        probe, now = answer.probe, self._wall_clock()
        site = self._judgement.site(probe.endpoint)
        if answer.outcome is Outcome.GONE and probe.suspect_since is None:
            evidence.expired_suspected += 1
            self._questions.verify_age_again(probe)
            return
        site.sampled -= 1
        (row,) = probe.rows
        match answer.outcome:
            case Outcome.GONE:
                evidence.expired_gone += 1
                site.expired.append(
                    Zombie(row, Reason.EXPIRED, evidence_of_age(row, now) | _two_410s(probe, now))
                )
            case Outcome.ALIVE:
                evidence.expired_alive += 1
                self._tally.held += 1
                spared = self._judgement.revoke_age(probe.endpoint)
                for one in (row, *(zombie.row for zombie in spared)):
                    self._questions.keep_awake(probe.endpoint, one)
            case _:
                evidence.count_untold_age(answer.outcome)
                self._tally.held += 1
                self._untold[answer.detail] += 1


def evidence_of_age(row: Row, now: float) -> dict[str, float]:
    return {"age_seconds": round(now - (row.connected_at or 0))}


def _two_410s(second: Probe, now: float) -> dict[str, float | None]:
    return {"first_410_at": second.suspect_since, "second_410_at": now}
