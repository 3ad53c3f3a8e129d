"""An inquiry: a few of an endpoint's ids are asked so that its word about others can be judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import structlog

from reaper.core.breaker import Harvest
from reaper.core.endpoint_state import EndpointState
from reaper.core.evidence import MAX_PANEL
from reaper.core.model import Answer, Endpoint, Outcome, Purpose, Row
from reaper.probes import Probes

log = structlog.get_logger()

Holds = Callable[[Sequence[Row]], set[str]]
"""Of some rows, the connection ids of those that the table still holds. Raises TableError."""


class Inquiry:
    """Witnesses are called for one 200; a panel for how many of the living still answer so.

    One that answers 410 is asked again at once: a 200 then is a contradiction.
    """

    def __init__(
        self,
        purpose: Purpose,
        endpoint: Endpoint,
        state: EndpointState,
        rows: Sequence[Row],
        probes: Probes,
        *,
        weighs: bool = False,
    ) -> None:
        """``weighs``: the rows are a sample of those that were left alone as fresh."""
        self.purpose = purpose
        self.endpoint = endpoint
        self._state = state
        self._probes = probes
        self.weighs = weighs
        self._called = len(rows)
        self._open = {row.connection_id for row in rows}
        self.alive = 0
        self.dead: list[Row] = []
        for row in rows:
            probes.call(purpose, row)

    @property
    def is_over(self) -> bool:
        return not self._open

    @property
    def is_of_leavers(self) -> bool:
        """Whether every one of them answered 410."""
        return self._called > 0 and len(self.dead) == self._called

    def learn(self, answer: Answer) -> None:
        probe = answer.probe
        if answer.outcome is Outcome.GONE and not probe.is_second:
            self._probes.call(self.purpose, probe.rows[0], is_second=True)
            return
        self._open.discard(probe.connection_id)
        if answer.outcome is Outcome.ALIVE:
            self.alive += 1
            if probe.is_second:
                contradicted(self._state, answer)
        elif answer.outcome is Outcome.GONE:
            self.dead += probe.rows
        if self.weighs and answer.outcome in (Outcome.ALIVE, Outcome.GONE):
            self._state.weigh(is_alive=answer.outcome is Outcome.ALIVE)

    def abandon(self, connection_id: str) -> None:
        """It is not asked any more."""
        self._open.discard(connection_id)


def call_witnesses(
    endpoint: Endpoint, state: EndpointState, probes: Probes, *, weighs: bool
) -> Inquiry:
    rows = state.take_fresh() if weighs else state.take_witnesses()
    return Inquiry(Purpose.WITNESS, endpoint, state, rows, probes, weighs=weighs)


def call_panel(endpoint: Endpoint, state: EndpointState, probes: Probes) -> Inquiry:
    draw = state.draw()
    rows = random.sample(draw, min(MAX_PANEL, len(draw)))
    return Inquiry(Purpose.PANEL, endpoint, state, rows, probes)


def conclude(inquiry: Inquiry, state: EndpointState, holds: Holds, now: float) -> None:
    """Note what came of it, at a moment of the clock that never goes back.

    Who has left with a goodbye meanwhile, so that its row is gone, says nothing about the gateway.
    """
    if inquiry.purpose is Purpose.WITNESS:
        if not inquiry.weighs:
            state.found_witnesses(inquiry.alive)
        return
    still_there = holds(inquiry.dead) if inquiry.dead else set()
    dead = [row for row in inquiry.dead if row.connection_id in still_there]
    for row in inquiry.dead:
        if row.connection_id not in still_there:
            state.forget(row.connection_id)
    log.info("panel", endpoint=str(inquiry.endpoint), alive=inquiry.alive, gone=len(dead))
    panel = Harvest(len(dead), len(dead) + inquiry.alive)
    if panel.answered or not _may_draw_again(inquiry, state):
        state.found_panel(panel, now)


def _may_draw_again(inquiry: Inquiry, state: EndpointState) -> bool:
    """Whether all members have left with a goodbye, and there are others."""
    return inquiry.is_of_leavers and bool(state.draw())


def contradicted(state: EndpointState, answer: Answer) -> None:
    """All strikes of this endpoint are void: what it said cannot all have been true."""
    state.contradict()
    log.error(
        "the gateway contradicts itself, so all strikes on its word are void",
        endpoint=str(answer.probe.endpoint),
        connection_id=answer.probe.connection_id,
    )
