"""Witnesses and panels: a few ids are asked, to know what the word about others is worth."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from functools import partial
from math import inf
from typing import Any

import structlog

from reaper.core.errors import TableError
from reaper.core.evidence.breaker import Harvest
from reaper.core.evidence.endpoint_state import EndpointState
from reaper.core.evidence.evidence_rule import MAX_PANEL, Standing
from reaper.core.model import Answer, Outcome, Probe, Purpose
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.sweep.beside import Task, TaskLine
from reaper.sweep.context import SweepContext
from reaper.sweep.evidence.shared_table import SharedTable
from reaper.sweep.ports import Beside, Table
from reaper.sweep.probes import Probes

log = structlog.get_logger()

LANE = "witnesses"

WITNESSES_FLOW_SECONDS = 1.0
"""Where somebody has answered 200 within this time, others do all the time."""

MIN_FLOW_SECONDS = 0.1
"""The same when only suspects are left to be asked, who need not wait for longer than the operator
has them wait between two strikes. So many of them have their witnesses together.
"""

PANEL_PAUSE_SECONDS = 1.0
"""Between two panels of an endpoint, so that many suspects have one together."""


class WitnessCall:
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
                note_contradiction(self._state, answer)
        elif answer.outcome is Outcome.GONE:
            self.dead += probe.rows
        if self.weighs and answer.outcome in (Outcome.ALIVE, Outcome.GONE):
            self._state.weigh(is_alive=answer.outcome is Outcome.ALIVE)

    def abandon(self, connection_id: str) -> None:
        """It is not asked any more."""
        self._open.discard(connection_id)


class WitnessCalls:
    """Owns the calls of one sweep: one at a time for each endpoint."""

    def __init__(
        self,
        context: SweepContext,
        probes: Probes,
        shared_table: SharedTable,
        table: Table,
        reader: RowReader,
        beside: Beside,
    ) -> None:
        self._memory = context.memory
        self._wall_clock = context.wall_clock
        self._limits = context.limits
        self._clock = context.clock
        self._has_time = context.rules.question_seconds == inf
        self._confirm_delay_seconds = context.rules.confirm_delay_seconds
        self._probes = probes
        self._shared_table = shared_table
        self._table = table
        self._reader = reader
        self._beside = beside
        self._line = TaskLine()
        self._running: dict[Endpoint, WitnessCall] = {}
        self._concluding: set[Endpoint] = set()
        self._concluded: list[Endpoint] = []
        self._panels_wanted: set[Endpoint] = set()
        self._next_panel_at: defaultdict[Endpoint, float] = defaultdict(lambda: -inf)
        self._is_everybody_asked = False

    @property
    def is_busy(self) -> bool:
        return bool(self._running or self._panels_wanted)

    @property
    def is_reading(self) -> bool:
        return self._line.is_busy

    def expect_more_rows(self, *, more: bool) -> None:
        """Whether rows still wait for their turn, of whom somebody may be found alive."""
        self._is_everybody_asked = not more

    def are_needless(self, standing: Standing, now: float) -> bool:
        """Whether somebody will soon answer 200 anyway."""
        flow_seconds = WITNESSES_FLOW_SECONDS
        if self._is_everybody_asked:
            flow_seconds = max(MIN_FLOW_SECONDS, min(flow_seconds, self._confirm_delay_seconds))
        return not standing.should_weigh and now - standing.alive_at < flow_seconds

    def call_witnesses(self, endpoint: Endpoint) -> None:
        """Whoever is likeliest to answer 200; or fresh rows, where most of the table seems gone."""
        if endpoint in self._running:
            return
        state = self._memory.endpoints[endpoint]
        standing = state.standing(self._limits())
        weighs = standing.should_weigh
        rows = state.take_fresh() if weighs else state.call_witnesses()
        self._running[endpoint] = WitnessCall(
            Purpose.WITNESS, endpoint, state, rows, self._probes, weighs=weighs
        )

    def want_panel(self, endpoint: Endpoint) -> None:
        self._panels_wanted.add(endpoint)

    def learn(self, answer: Answer) -> None:
        call = self._running.get(answer.probe.endpoint)
        if call is not None:
            call.learn(answer)

    def abandon(self, probe: Probe) -> None:
        """It is not asked any more."""
        call = self._running.get(probe.endpoint)
        if call is not None:
            call.abandon(probe.connection_id)

    def advance(self) -> list[Endpoint]:
        """Conclude what is over, and call the panels for which it is time. Whose it was."""
        for endpoint, call in self._running.items():
            if call.is_over and endpoint not in self._concluding:
                self._concluding.add(endpoint)
                self._line.add(self._conclude(call, self._memory.endpoints[endpoint]))
        self._line.advance()
        over, self._concluded = self._concluded, []
        for endpoint in self._panels_wanted - self._running.keys():
            self._call_panel(endpoint)
        return over

    def _call_panel(self, endpoint: Endpoint) -> None:
        """When every row had its turn, for evictions keep others waiting for their heartbeats.

        In a sweep by itself, which has time, as soon as there are enough to be drawn from.
        """
        state = self._memory.endpoints[endpoint]
        is_time = self._is_everybody_asked or (self._has_time and state.can_seat_panel)
        is_time = is_time and self._clock() >= self._next_panel_at[endpoint]
        if is_time and self._shared_table.settle(endpoint):
            self._next_panel_at[endpoint] = self._clock() + PANEL_PAUSE_SECONDS
            self._panels_wanted.discard(endpoint)
            draw = state.draw()
            rows = random.sample(draw, min(MAX_PANEL, len(draw)))
            self._running[endpoint] = WitnessCall(
                Purpose.PANEL, endpoint, state, rows, self._probes
            )

    def _conclude(self, call: WitnessCall, state: EndpointState) -> Task:
        if call.purpose is Purpose.PANEL:
            still_there = yield from self._still_held(call.dead)
            self._conclude_panel(call, state, still_there)
        elif not call.weighs:
            state.found_witnesses(call.alive)
        del self._running[call.endpoint]
        self._concluding.discard(call.endpoint)
        self._concluded.append(call.endpoint)

    def _conclude_panel(
        self, call: WitnessCall, state: EndpointState, still_there: set[str]
    ) -> None:
        """Note what came of it.

        Who has left with a goodbye meanwhile, so that its row is gone, says nothing about the
        gateway; where that are all, others are drawn if there are any.
        """
        dead = [row for row in call.dead if row.connection_id in still_there]
        for row in call.dead:
            if row.connection_id not in still_there:
                state.forget(row.connection_id)
        log.info("panel", endpoint=str(call.endpoint), alive=call.alive, gone=len(dead))
        panel = Harvest(len(dead), len(dead) + call.alive)
        may_draw_again = call.is_all_gone and bool(state.draw())
        if panel.answered or not may_draw_again:
            state.found_panel(panel, self._clock())

    def _still_held(self, rows: Sequence[Row]) -> Generator[Future[Any], Any, set[str]]:
        """The ids of those rows that the table still holds; all, if that cannot be told."""
        if not rows:
            return set()
        keys = [row.key for row in rows]
        try:
            items = yield self._beside(LANE, partial(self._table.read, keys))
        except TableError as error:
            log.warning("panel rows not readable", why=str(error), they="count as still there")
            return {row.connection_id for row in rows}
        return {row.connection_id for row in self._reader.read_page(items, self._wall_clock())}


def note_contradiction(state: EndpointState, answer: Answer) -> None:
    """All strikes of this endpoint are void: what it said cannot all have been true."""
    state.contradict()
    log.error(
        "gateway contradicts itself",
        why="it says 200 of an id after 410s that cannot have been true: all strikes are void",
        endpoint=str(answer.probe.endpoint),
        connection_id=answer.probe.connection_id,
    )
