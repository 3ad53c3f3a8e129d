"""Verdicts: what each answer makes of the rows that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from reaper.core.breaker import Evidence
from reaper.core.model import Answer, Ask, Outcome, Purpose
from reaper.core.report import Tally
from reaper.eviction import Reason, Zombie
from reaper.judgement import Judgement
from reaper.questions import Questions

log = structlog.get_logger()


class Verdicts:
    """Takes answers; passes suspects on to a second question and zombies on to judgement."""

    def __init__(
        self,
        questions: Questions,
        judgement: Judgement,
        tally: Tally,
        wall_clock: Callable[[], float],
    ) -> None:
        self._questions = questions
        self._judgement = judgement
        self._tally = tally
        self._wall_clock = wall_clock
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
            case Purpose.KEEPALIVE if answer.outcome not in (Outcome.ALIVE, Outcome.GONE):
                self._untold[f"heartbeat: {answer.detail}"] += 1
                self._tally.heartbeats_refused += answer.outcome is Outcome.DENIED
            case Purpose.CONTROL if answer.outcome is Outcome.ALIVE:
                evidence.controls_alive += len(probe.rows)
        if answer.outcome is not Outcome.ALIVE:
            return
        if probe.ask is Ask.HEARTBEAT:
            self._tally.heartbeats += 1
        elif probe.purpose in (Purpose.DUE, Purpose.CONFIRM, Purpose.KEEPALIVE):
            self._questions.follow_up(answer)

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
                site.gone += [Zombie(row, Reason.GONE) for row in probe.rows]
            case Outcome.ALIVE:
                evidence.alive += len(probe.rows)
                self._tally.count_messages(probe.rows, self._wall_clock())
                log.info("suspect is alive after all", connection_id=probe.connection_id)
            case _:
                self._learn_nothing(answer, evidence)

    def _learn_nothing(self, answer: Answer, evidence: Evidence) -> None:
        evidence.count_unknown(answer.outcome, len(answer.probe.rows))
        self._untold[answer.detail] += 1

    def _learn_age(self, answer: Answer, evidence: Evidence) -> None:
        evidence.count_expired(answer.outcome, len(answer.probe.rows))
        match answer.outcome:
            case Outcome.ALIVE:
                endpoint = answer.probe.endpoint
                for spared in self._judgement.revoke_age(self._judgement.site(endpoint)):
                    self._questions.keep_awake(endpoint, spared.row)
            case Outcome.GONE:
                pass
            case _:
                self._untold[answer.detail] += 1
