"""Inquiries: a few of an endpoint's ids are asked, so that its word about others can be judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import inf

import structlog

from reaper.context import SweepContext
from reaper.core.breaker import Harvest
from reaper.core.endpoint_state import EndpointState
from reaper.core.evidence import MAX_PANEL
from reaper.core.model import Answer, Endpoint, Outcome, Probe, Purpose, Row
from reaper.probes import Probes
from reaper.sharing import Sharing

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
    def is_all_gone(self) -> bool:
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


class Inquiries:
    """Owns the inquiries of one sweep: one at a time for each endpoint."""

    def __init__(
        self, context: SweepContext, probes: Probes, sharing: Sharing, holds: Holds
    ) -> None:
        """``holds`` looks into the table."""
        self._memory = context.memory
        self._limits = context.limits
        self._clock = context.clock
        self._has_time = context.rules.question_seconds == inf
        self._probes = probes
        self._sharing = sharing
        self._holds = holds
        self._running: dict[Endpoint, Inquiry] = {}
        self._panels_wanted: set[Endpoint] = set()
        self.is_everybody_asked = False
        """Whether every row had its turn, so that nobody else will be found alive."""

    @property
    def is_busy(self) -> bool:
        return bool(self._running or self._panels_wanted)

    def call_witnesses(self, endpoint: Endpoint) -> None:
        """Whoever is likeliest to answer 200; or fresh rows, where most of the table seems gone."""
        if endpoint in self._running:
            return
        state = self._memory.endpoints[endpoint]
        standing = state.standing(self._limits())
        weighs = standing.may_weigh and (standing.is_held or standing.is_slow)
        rows = state.take_fresh() if weighs else state.take_witnesses()
        self._running[endpoint] = Inquiry(
            Purpose.WITNESS, endpoint, state, rows, self._probes, weighs=weighs
        )

    def want_panel(self, endpoint: Endpoint) -> None:
        self._panels_wanted.add(endpoint)

    def learn(self, answer: Answer) -> None:
        inquiry = self._running.get(answer.probe.endpoint)
        if inquiry is not None:
            inquiry.learn(answer)

    def abandon(self, probe: Probe) -> None:
        """It is not asked any more."""
        inquiry = self._running.get(probe.endpoint)
        if inquiry is not None:
            inquiry.abandon(probe.connection_id)

    def advance(self) -> list[Endpoint]:
        """Conclude what is over, and call the panels for which it is time. Whose it was."""
        over = [endpoint for endpoint, inquiry in self._running.items() if inquiry.is_over]
        for endpoint in over:
            self._conclude(self._running.pop(endpoint), self._memory.endpoints[endpoint])
        for endpoint in self._panels_wanted - self._running.keys():
            self._call_panel(endpoint)
        return over

    def _call_panel(self, endpoint: Endpoint) -> None:
        """When every row had its turn, for evictions keep others waiting for their heartbeats.

        In a sweep by itself, which has time, as soon as there are enough to be drawn from.
        """
        state = self._memory.endpoints[endpoint]
        is_time = self.is_everybody_asked or (self._has_time and state.can_seat_panel)
        if is_time and self._sharing.is_settled(endpoint):
            self._panels_wanted.discard(endpoint)
            draw = state.draw()
            rows = random.sample(draw, min(MAX_PANEL, len(draw)))
            self._running[endpoint] = Inquiry(Purpose.PANEL, endpoint, state, rows, self._probes)

    def _conclude(self, inquiry: Inquiry, state: EndpointState) -> None:
        """Note what came of it.

        Who has left with a goodbye meanwhile, so that its row is gone, says nothing about the
        gateway; where that are all, others are drawn if there are any.
        """
        if inquiry.purpose is Purpose.WITNESS:
            if not inquiry.weighs:
                state.found_witnesses(inquiry.alive)
            return
        still_there = self._holds(inquiry.dead) if inquiry.dead else set()
        dead = [row for row in inquiry.dead if row.connection_id in still_there]
        for row in inquiry.dead:
            if row.connection_id not in still_there:
                state.forget(row.connection_id)
        log.info("panel", endpoint=str(inquiry.endpoint), alive=inquiry.alive, gone=len(dead))
        panel = Harvest(len(dead), len(dead) + inquiry.alive)
        may_draw_again = inquiry.is_all_gone and bool(state.draw())
        if panel.answered or not may_draw_again:
            state.found_panel(panel, self._clock())


def contradicted(state: EndpointState, answer: Answer) -> None:
    """All strikes of this endpoint are void: what it said cannot all have been true."""
    state.contradict()
    log.error(
        "the gateway contradicts itself, so all strikes on its word are void",
        endpoint=str(answer.probe.endpoint),
        connection_id=answer.probe.connection_id,
    )
