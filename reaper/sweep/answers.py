"""What each answer makes of the rows that it is about, and of what is known of its endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import structlog

from reaper.core.errors import HeartbeatsRefused, Refused
from reaper.core.evidence.calibration import TOLERANCE_SECONDS
from reaper.core.evidence.endpoint_state import EndpointState
from reaper.core.iam import MANAGE_CONNECTIONS
from reaper.core.model import ALIVE, DUE, HEARTBEAT, Answer, Outcome, Probe, Purpose
from reaper.core.refusals import Refusal
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.sweep.context import SweepContext
from reaper.sweep.evidence.suspects import Suspects
from reaper.sweep.evidence.witnesses import WitnessCalls, note_contradiction
from reaper.sweep.pongs import Pongs
from reaper.sweep.probes import Probes

log = structlog.get_logger()

_FOLLOWED_UP = (Purpose.DUE, Purpose.SUSPECT, Purpose.KEEPALIVE)
"""After a check for one of these its socket may turn out to need a heartbeat."""

_CALLED = (Purpose.WITNESS, Purpose.PANEL)
"""Asked for the sake of others."""


class Answers:
    """Takes answers, and tells everybody whom they concern."""

    def __init__(
        self,
        context: SweepContext,
        reader: RowReader,
        probes: Probes,
        suspects: Suspects,
        witness_calls: WitnessCalls,
        pongs: Pongs,
    ) -> None:
        self._tally = context.tally
        self._memory = context.memory
        self._clock = context.clock
        self._wall_clock = context.wall_clock
        self._reader = reader
        self._probes = probes
        self._suspects = suspects
        self._witness_calls = witness_calls
        self._pongs = pongs
        self._inconclusive: Counter[str] = Counter()
        self._refusal: Refusal | None = None
        """Of heartbeats, where AWS explained it."""

    def learn(self, answer: Answer) -> None:
        probe = answer.probe
        state = self._memory.endpoints[probe.endpoint]
        if answer.outcome is ALIVE:
            self._learn_of_life(answer, state)
        if probe.purpose is DUE:
            self._learn_of_due(answer, state)
            return
        match probe.purpose:
            case Purpose.SUSPECT:
                self._learn_of_suspect(answer)
            case Purpose.WITNESS | Purpose.PANEL:
                self._witness_calls.learn(answer)
            case Purpose.KEEPALIVE:
                self._learn_of_heartbeat(answer)
            case Purpose.SELF_TEST:
                self._probes.learn_of_self_test(answer)

    def leave_unasked(self, probe: Probe) -> None:
        """An unresponsive endpoint is not asked this any more."""
        if probe.purpose is Purpose.DUE:
            self._state(probe).leave_unasked(len(probe.rows))
        else:
            self._suspects.leave_unasked(probe)

    @property
    def fault(self) -> HeartbeatsRefused | None:
        """What kept heartbeats from being sent, if most of them were refused."""
        refused = self._tally.heartbeats_refused
        if refused <= self._tally.heartbeats:
            return None
        why = f"the gateway refused {refused} heartbeats"
        if self._refusal is not None:
            return HeartbeatsRefused(
                f"{why}: POST @connections {self._refusal.why}",
                self._refusal.cure,
                refused=self._refusal.refused,
            )
        return HeartbeatsRefused(
            why,
            f"grant {MANAGE_CONNECTIONS} for POST on @connections/*, or set"
            " REAPER_HEARTBEAT_MODE=off",
            refused=Refused.NOT_GRANTED,
        )

    def log_inconclusive(self) -> None:
        """Say once per sweep what the answers were that were neither 200 nor 410."""
        if self._inconclusive:
            most_frequent = dict(self._inconclusive.most_common(3))
            log.warning("inconclusive answers", most_frequent=most_frequent)

    def _learn_of_life(self, answer: Answer, state: EndpointState) -> None:
        probe = answer.probe
        rows, purpose = probe.rows, probe.purpose
        if rows:
            is_witness = purpose in _CALLED
            state.answered_200(rows[0], probe.sent_at, is_witness=is_witness)
        acquitted = self._suspects.acquit(answer)
        if acquitted:
            self._tally.count_messages(acquitted, self._wall_clock())
        if answer.said_at is not None:
            self._memory.calibration.learn_clock(answer.said_at, self._clock())
        if answer.connected_at is not None:
            self._calibrate(rows, answer.connected_at)
        if probe.ask is HEARTBEAT:
            self._tally.count_heartbeat()
            self._probes.note_heartbeat(probe.connection_id)
            self._pongs.expect(probe)
        elif purpose in _FOLLOWED_UP or acquitted:
            self._probes.follow_up(answer)

    def _calibrate(self, rows: Iterable[Row], connected_at: float) -> None:
        """What rows say against what the gateway says."""
        is_calibrated = self._memory.calibration.is_calibrated
        for row in rows:
            on_row = row.connected_at
            is_close = on_row is not None and abs(on_row - connected_at) <= TOLERANCE_SECONDS
            if not (is_close and is_calibrated):
                self._learn_time(row, connected_at)

    def _learn_time(self, row: Row, connected_at: float) -> None:
        calibration = self._memory.calibration
        time = self._reader.connection_time(row)
        if time is None:
            return
        was_refuted = bool(calibration.refuted_by_seconds)
        calibration.learn(row.connection_id, time, connected_at)
        if calibration.refuted_by_seconds and not was_refuted:
            log.warning(
                "connection time refuted",
                why="a living row's is earlier than the gateway says, so age counts no more",
                connection_id=row.connection_id,
                earlier_by_seconds=round(calibration.refuted_by_seconds),
                variable="REAPER_CONNECTED_AT_ATTRIBUTE",
            )

    def _learn_of_due(self, answer: Answer, state: EndpointState) -> None:
        probe = answer.probe
        if answer.outcome is ALIVE:
            state.found_alive(len(probe.rows))
            self._tally.count_messages(probe.rows, self._wall_clock())
        elif answer.outcome is Outcome.GONE:
            self._suspects.accuse(answer)
        else:
            self._learn_nothing(answer, len(probe.rows))
            self._suspects.interrupt(probe)

    def _learn_of_suspect(self, answer: Answer) -> None:
        if answer.outcome is not Outcome.ALIVE and (rows := self._suspects.learn(answer)):
            self._learn_nothing(answer, rows)

    def _learn_of_heartbeat(self, answer: Answer) -> None:
        """A heartbeat that followed a check. It says nothing of life or death."""
        probe = answer.probe
        if answer.outcome is Outcome.GONE:
            if not probe.is_second:
                self._probes.try_again(probe)
        elif answer.outcome is Outcome.ALIVE:
            if probe.is_second:
                note_contradiction(self._state(probe), answer)
        else:
            self._inconclusive[f"heartbeat: {answer.detail}"] += 1
            if answer.outcome is Outcome.DENIED:
                self._tally.count_refused_heartbeat()
                self._refusal = answer.refusal

    def _learn_nothing(self, answer: Answer, rows: int) -> None:
        state = self._state(answer.probe)
        state.answered_otherwise(answer, rows)
        self._inconclusive[answer.detail] += 1
        if answer.outcome is Outcome.REJECTED:
            log.warning(
                "id rejected by the gateway",
                why="its row is left alone: it is a sentinel, or holds something beside the id",
                connection_id=answer.probe.connection_id,
                variable="REAPER_CONNECTION_ID_PATTERN",
            )

    def _state(self, probe: Probe) -> EndpointState:
        return self._memory.endpoints[probe.endpoint]
