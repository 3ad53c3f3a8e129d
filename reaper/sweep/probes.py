"""Probes: who is asked, by check or by heartbeat, now or later."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

import structlog

from reaper.core.evidence.activity import BELIEVED, PAUSE_SECONDS, UNTESTED, Belief
from reaper.core.evidence.evidence_rule import Suspect
from reaper.core.model import CHECK, DUE, HEARTBEAT, Answer, Ask, Outcome, Probe, Purpose
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row
from reaper.core.triage import HeartbeatMode, how_to_ask
from reaper.sweep.context import SweepContext
from reaper.sweep.prober import Prober

log = structlog.get_logger()

MAX_FOLLOW_UPS = 2
"""So many heartbeats may follow checks of one connection in a sweep."""

MAX_UNDECIDED = 60_000
"""Living clients that wait for the self-test, held in memory at 400 bytes each; meanwhile no more
are asked after. So many are found in its three seconds at twice the default quota.
"""

MAX_UNDECIDED_WITH_ROWS = 10_000
"""Where pongs are awaited their rows are held too, some 1 kB each."""

SECOND_TRY_SECONDS = 5.0
"""After a heartbeat that met a 410 although a check had just found the socket alive."""


class _Undecided(NamedTuple):
    """Of a check that found a living client: the heartbeat that it may turn out to need."""

    heartbeat: Probe
    last_active_at: float
    """By the gateway's account."""
    last_seen_at: float
    """By the rows."""


class Probes:
    """Hands the prober what there is to ask. In a dry run that is checks only."""

    def __init__(self, context: SweepContext, prober: Prober) -> None:
        rules = context.rules
        self._is_dry_run = rules.dry_run
        heartbeats_are_off = rules.triage.heartbeat_mode is HeartbeatMode.OFF
        self._sends_heartbeats = not (heartbeats_are_off or rules.dry_run)
        # Who needs a heartbeat depends on the next turn, not on the moment of asking.
        self._cutoffs = context.cutoffs()
        self._posted_enough_at = context.clock() + self._cutoffs.awake_after - self._cutoffs.now
        self._clock = context.clock
        self._self_test = context.memory.self_test
        self._own_heartbeats = context.memory.own_heartbeats
        self._suspects = context.memory.suspects
        self._prober = prober
        self._holds_rows = rules.pong.expects_pongs
        self._undecided: list[_Undecided] = []
        """Until it is known whether ``lastActiveAt`` can be believed."""

    def ask_due(self, endpoint: Endpoint, connection_id: str, rows: list[Row]) -> None:
        """Ask once for all rows that hold this id, with a heartbeat if any of them needs one."""
        probe = Probe(endpoint, connection_id, self._way_to_ask(rows), DUE, rows)
        suspect = self._suspects.get(endpoint, connection_id)
        if suspect is not None:
            _over_another_connection(probe, suspect)
        self._prober.ask(probe)

    def look_again(
        self, endpoint: Endpoint, connection_id: str, rows: list[Row], suspect: Suspect
    ) -> None:
        """Ask a suspect, over a connection that cannot still hold an answer about somebody else."""
        probe = Probe(endpoint, connection_id, CHECK, Purpose.SUSPECT, rows)
        self._prober.ask(_over_another_connection(probe, suspect))

    def call(self, purpose: Purpose, row: Row, *, is_second: bool = False) -> None:
        """Ask a witness, or a member of a panel; the second time at once."""
        assert row.endpoint is not None
        self._prober.ask_next(
            Probe(
                row.endpoint,
                row.connection_id,
                CHECK,
                purpose,
                [row],
                is_second=is_second,
                is_rested=is_second,
            )
        )

    def try_again(self, heartbeat: Probe) -> None:
        """After a heartbeat that met a 410 although a check had just found the socket alive."""
        again = _heartbeat_after(heartbeat, heartbeat.rows)
        again.follow_ups, again.is_second = heartbeat.follow_ups, True
        self._prober.ask_later(again, SECOND_TRY_SECONDS)

    def note_heartbeat(self, connection_id: str) -> None:
        """The gateway has taken one."""
        self._own_heartbeats.note(connection_id, self._clock())

    def _was_posted_to(self, connection_id: str) -> bool:
        """Whether our own last heartbeat keeps it awake until its next turn."""
        return self._own_heartbeats.last_to(connection_id) >= self._posted_enough_at

    def follow_up(self, check: Answer) -> None:
        """After a check that found a live socket: the heartbeat that it turns out to need.

        One that was throttled is tried once more; a client whose buffer is full misses nothing.
        """
        if not self._sends_heartbeats or check.probe.follow_ups >= MAX_FOLLOW_UPS:
            return
        probe, last_active_at = check.probe, check.last_active_at
        if self._self_test.belief is UNTESTED and last_active_at is not None:
            heartbeat = _heartbeat_after(probe, probe.rows if self._holds_rows else [])
            self._undecided.append(_Undecided(heartbeat, last_active_at, _last_seen(probe.rows)))
            self._test_next()
            return
        if self._self_test.belief is not BELIEVED:
            last_active_at = _last_seen(probe.rows)
        if last_active_at is None or last_active_at < self._cutoffs.awake_after:
            self._send(_heartbeat_after(probe, probe.rows))

    def learn_of_self_test(self, answer: Answer) -> None:
        """The second answer of somebody who was asked twice."""
        is_alive = answer.outcome is Outcome.ALIVE
        last_active_at = answer.last_active_at if is_alive else None
        self._self_test.second(answer.probe.connection_id, last_active_at)
        if self._self_test.belief is UNTESTED:
            self._test_next()
            return
        if self._self_test.belief is Belief.DISBELIEVED:
            log.warning(
                "lastActiveAt not believed",
                why="it follows our own checks; heartbeats go by the rows and by those sent before",
                endpoint=str(answer.probe.endpoint),
            )
        self.decide()

    def decide(self) -> None:
        """Send the heartbeats that waited for the self-test, whatever is known by now."""
        undecided, self._undecided = self._undecided, []
        is_believed = self._self_test.belief is BELIEVED
        for one in undecided:
            last_active_at = one.last_active_at if is_believed else one.last_seen_at
            if last_active_at < self._cutoffs.awake_after:
                self._send(one.heartbeat)

    @property
    def has_undecided(self) -> bool:
        return bool(self._undecided)

    @property
    def is_full(self) -> bool:
        """Whether no more should be asked after until the self-test under way has its answer."""
        room = MAX_UNDECIDED_WITH_ROWS if self._holds_rows else MAX_UNDECIDED
        return len(self._undecided) >= room and not self._prober.idle

    def _test_next(self) -> None:
        """Ask one of those that wait once more."""
        if not self._self_test.wants_trial or not self._undecided:
            return
        probe, last_active_at, _ = self._undecided[-1]
        self._self_test.first(probe.connection_id, last_active_at)
        second = Probe(probe.endpoint, probe.connection_id, CHECK, Purpose.SELF_TEST, probe.rows)
        self._prober.ask_later(second, PAUSE_SECONDS)

    def _send(self, heartbeat: Probe) -> None:
        """It goes before others that wait: nobody is known to be nearer to falling silent."""
        if self._was_posted_to(heartbeat.connection_id):
            return
        if heartbeat.follow_ups == 1:
            self._prober.ask_next(heartbeat)
        else:
            self._prober.ask_later(heartbeat, SECOND_TRY_SECONDS)

    def _way_to_ask(self, rows: list[Row]) -> Ask:
        if self._is_dry_run:
            return CHECK
        cutoffs = self._cutoffs
        for row in rows:
            if how_to_ask(row, cutoffs) is HEARTBEAT:
                is_spared = self._was_posted_to(row.connection_id) and not cutoffs.always_heartbeat
                return CHECK if is_spared else HEARTBEAT
        return CHECK


def _over_another_connection(probe: Probe, suspect: Suspect) -> Probe:
    """Than the one that carried its last answer."""
    probe.is_rested, probe.not_over = True, suspect.connection
    return probe


def _last_seen(rows: Iterable[Row]) -> float:
    seen_at = [row.last_seen_at for row in rows if row.last_seen_at is not None]
    return max(seen_at, default=-inf)


def _heartbeat_after(probe: Probe, rows: list[Row]) -> Probe:
    return Probe(
        probe.endpoint,
        probe.connection_id,
        HEARTBEAT,
        Purpose.KEEPALIVE,
        rows,
        follow_ups=probe.follow_ups + 1,
    )
