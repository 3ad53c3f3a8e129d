"""What a process knows of one endpoint: its word so far, and who may be asked to test it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf

from reaper.core.evidence.breaker import (
    NOBODY,
    BreakerLimits,
    Counts,
    Findings,
    Harvest,
    hold_of,
    is_slow,
)
from reaper.core.evidence.draw import MAX_DRAW, Draw
from reaper.core.evidence.evidence_rule import Standing
from reaper.core.evidence.witnesses import Witnesses
from reaper.core.model import Answer
from reaper.core.refusals import Refusal
from reaper.core.rows.ids import is_of_one_case
from reaper.core.rows.row import Row

MAX_SWEEPS_UNMET = 20
"""Of portions of the table, in none of which there was a row of an endpoint: it is forgotten."""


class EndpointState:
    """One endpoint. Its counts are those of the running sweep; what else it holds outlives that."""

    def __init__(self, max_draw: int = MAX_DRAW) -> None:
        self.counts = Counts()
        self.is_asked = False
        """Whether a row of it is due; the rows of some endpoints are all left alone."""
        self._draw = Draw(max_draw)
        self._witnesses = Witnesses()
        self._sweeps_unmet = 0
        self._last_harvest = NOBODY
        self._voids = 0
        self._alive_at = -inf
        self._panel: Harvest | None = None
        self._panel_at = -inf
        self._is_shared_table = False
        self._refusal: Refusal | None = None
        self._inconclusive: Counter[str] = Counter()

    # The sweeps

    @property
    def is_forgotten(self) -> bool:
        """Whether it is long since a row was of it."""
        return self._sweeps_unmet > MAX_SWEEPS_UNMET

    def meet(self) -> None:
        """A row of the running sweep is of it."""
        self._sweeps_unmet = 0

    def miss(self) -> None:
        """In a sweep that is over, no row was of it."""
        self._sweeps_unmet += 1

    def begin_sweep(self) -> None:
        self.counts = Counts()
        self.is_asked = False
        self._draw.begin_sweep()
        self._witnesses.begin_sweep()
        self._panel, self._panel_at = None, -inf
        self._refusal = None
        self._inconclusive.clear()

    def end_sweep(self, *, is_of_table: bool) -> None:
        """A sweep is over in which every row had its turn; a harvest is that of a whole table."""
        if self.counts.harvest.answered:
            self._draw.end_sweep()
            self._last_harvest = self.counts.harvest if is_of_table else NOBODY

    # What its rows and its answers say

    def expect_answers(self) -> None:
        """A row of it is due."""
        self.is_asked = True

    def note_ids(self, connection_ids: Sequence[str]) -> None:
        """Ids on a host of API Gateway's own, which are of mixed case."""
        self.counts.ids += len(connection_ids)
        self.counts.ids_of_one_case += sum(map(is_of_one_case, connection_ids))

    def answered_200(self, row: Row, sent_at: float, *, is_witness: bool) -> None:
        """Somebody lives: ``is_witness`` where it was asked for the sake of others."""
        if sent_at > self._alive_at:
            self._alive_at = sent_at
        self._draw.note_alive(row)
        if is_witness:
            self.counts.witnesses += 1
            self._witnesses.note_witness(row)
        else:
            self._witnesses.note_alive(row)

    def found_alive(self, rows: int) -> None:
        """Rows that were due are alive."""
        self.counts.alive += rows

    def accuse(self, connection_id: str, rows: int) -> None:
        """An id that was due has answered 410."""
        self.counts.gone += rows
        self._draw.note_dead(connection_id)

    def withdraw(self, rows: int) -> None:
        """Rows that were accused will not go in this sweep."""
        self.counts.withdrawn += rows

    def convict(self, connection_id: str, rows: int) -> None:
        """Its rows are to go, so that it answers 410 says nothing any more."""
        self.counts.confirmed += rows
        self.forget(connection_id)

    def hold(self, rows: int) -> None:
        """Rows that would go if the word of this endpoint were better."""
        self.counts.confirmed += rows

    def answered_otherwise(self, answer: Answer, rows: int) -> None:
        """Neither 200 nor 410: the rows stay unknown."""
        self._refusal = answer.refusal or self._refusal
        self._inconclusive[answer.detail] += 1
        self.counts.count_inconclusive(answer.outcome, rows)

    def leave_unasked(self, rows: int) -> None:
        """It is unresponsive, so these are not asked any more."""
        self.counts.count_unasked(rows)

    def heard_pong(self) -> None:
        """A client was heard of after a heartbeat."""
        self.counts.pongs += 1

    def found_deaf(self, clients: int) -> None:
        self.counts.deaf += clients

    def convict_deaf(self, rows: int) -> None:
        """Their heartbeats were taken, but they are as gone as those that answered 410."""
        self.counts.alive -= rows
        self.counts.gone += rows
        self.counts.confirmed += rows

    def contradict(self) -> None:
        """It has said 200 of somebody after 410s that cannot have been true."""
        self._voids += 1

    def found_shared(self, *, is_shared: bool) -> None:
        self._is_shared_table = is_shared

    # Who may be asked

    def leave_alone(self, fresh: Sequence[Row], newborn: Sequence[Row]) -> None:
        """Rows that nobody asks after; a few are remembered as possible witnesses."""
        self.counts.left_fresh += len(fresh)
        self._witnesses.note_left_alone(fresh, newborn)

    @property
    def may_weigh(self) -> bool:
        """Whether fresh rows may still show that most of the table lives."""
        return bool(self._witnesses.fresh)

    @property
    def may_call_witnesses(self) -> bool:
        return self._witnesses.are_left

    def take_fresh(self) -> list[Row]:
        """Fresh rows to be weighed, each once in a sweep."""
        return self._witnesses.take_fresh()

    def call_witnesses(self) -> list[Row]:
        """The likeliest to live; after each call that was in vain, others."""
        return self._witnesses.called()

    def found_witnesses(self, alive: int) -> None:
        """So many of those that were called answered 200."""
        self._witnesses.found_alive(alive)

    def weigh(self, *, is_alive: bool) -> None:
        """One of a sample of the fresh rows has answered."""
        self.counts.weighed += 1
        self.counts.weighed_alive += is_alive

    @property
    def can_seat_panel(self) -> bool:
        return self._draw.is_large

    def draw(self) -> list[Row]:
        """Those from whom a panel is drawn: fresh, or alive of late, dead by now or not."""
        return list(
            ({**self._witnesses.fresh, **self._draw.rows} or self._witnesses.recent).values()
        )

    def forget(self, connection_id: str) -> None:
        """Its row is gone, so that it answers 410 says nothing any more."""
        self._draw.forget(connection_id)
        self._witnesses.forget(connection_id)

    def found_panel(self, panel: Harvest, now: float) -> None:
        self._panel, self._panel_at = panel, now

    # What follows

    @property
    def findings(self) -> Findings:
        """What is decided by, with the words that explain it to a person."""
        most = self._inconclusive.most_common(1)
        return self._decided_by._replace(
            refusal=self._refusal, inconclusive=most[0][0] if most else ""
        )

    @property
    def _decided_by(self) -> Findings:
        return Findings(self.counts, self._last_harvest, self._panel, self._is_shared_table)

    def standing(self, limits: BreakerLimits) -> Standing:
        findings = self._decided_by
        return Standing(
            voids=self._voids,
            alive_at=self._alive_at,
            is_held=hold_of(findings, limits) is not None,
            is_slow=is_slow(findings, limits),
            may_call_witnesses=self.may_call_witnesses,
            may_weigh=self.may_weigh,
            panel_at=self._panel_at,
            is_trusted=limits.trust_endpoint,
        )
