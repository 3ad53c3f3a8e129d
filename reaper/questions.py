"""Questions: who is asked, by check or by heartbeat, now or later."""

from __future__ import annotations

import structlog

from reaper.context import SweepContext
from reaper.core.model import Answer, Ask, Endpoint, Probe, Purpose, Row
from reaper.core.triage import HeartbeatMode, how_to_ask
from reaper.core.verdict import confirm_delay_seconds, delay_where_timestamps_may_mislead
from reaper.prober import Prober

log = structlog.get_logger()

MOST_FOLLOW_UPS = 2
"""So many heartbeats may follow checks of one connection in a sweep."""


class Questions:
    """Hands the prober what there is to ask. In a dry run that is checks only."""

    def __init__(self, context: SweepContext, prober: Prober) -> None:
        self._rules = context.rules
        # Who needs a heartbeat depends on the next turn, not on the moment of asking.
        self._cutoffs = context.rules.cutoffs(context.wall_clock())
        self._wall_clock = context.wall_clock
        self._prober = prober
        self._has_told_of_delay = False

    def ask_due(self, endpoint: Endpoint, connection_id: str, rows: list[Row]) -> None:
        """Ask once for all rows that hold this id, with a heartbeat if any of them needs one."""
        self._prober.ask(Probe(endpoint, connection_id, self._way_to_ask(rows), Purpose.DUE, rows))

    def verify_age(self, endpoint: Endpoint, row: Row) -> None:
        """Ask after a row that is dead by age, to see whether age means what it should."""
        self._prober.ask(Probe(endpoint, row.connection_id, Ask.CHECK, Purpose.AGE_SAMPLE, [row]))

    def verify_age_again(self, suspect: Probe) -> None:
        """The second question to a row of that sample, which may be newborn if age is misread."""
        delay = delay_where_timestamps_may_mislead(
            self._rules.confirm_delay_seconds, self._rules.triage.newborn_grace_seconds
        )
        self._prober.ask_later(self._second(suspect, Ask.CHECK), delay)

    def call_witness(self, endpoint: Endpoint, row: Row) -> None:
        """Ask after a row that was left alone."""
        self._prober.ask(Probe(endpoint, row.connection_id, Ask.CHECK, Purpose.CONTROL, [row]))

    def confirm(self, suspect: Probe) -> None:
        """Ask again after a first 410, when enough time has passed for it to mean something."""
        delay = confirm_delay_seconds(
            suspect.rows,
            self._wall_clock(),
            self._rules.confirm_delay_seconds,
            self._rules.triage.newborn_grace_seconds,
        )
        log.debug("suspect", connection_id=suspect.connection_id, asked_again_in=delay)
        if delay > self._rules.confirm_delay_seconds and not self._has_told_of_delay:
            log.info("suspects that may be newborn are asked again later", after_seconds=delay)
            self._has_told_of_delay = True
        self._prober.ask_later(self._second(suspect, Ask.CHECK), delay)

    def try_again(self, heartbeat: Probe) -> None:
        """After a heartbeat that met a 410 although a check had just found the socket alive."""
        second = self._second(heartbeat, Ask.HEARTBEAT)
        self._prober.ask_later(second, self._rules.confirm_delay_seconds)

    def _second(self, first: Probe, ask: Ask) -> Probe:
        """The same question once more, to the same end, and a confirmation if it was due."""
        return Probe(
            first.endpoint,
            first.connection_id,
            ask,
            Purpose.CONFIRM if first.purpose is Purpose.DUE else first.purpose,
            first.rows,
            follow_ups=first.follow_ups,
            suspect_since=self._wall_clock(),
        )

    def keep_awake(self, endpoint: Endpoint, row: Row) -> None:
        """See to it that a socket whose row gets no verdict does not fall silent."""
        if self._sends_heartbeats:
            way = self._way_to_ask([row])
            self._prober.ask(Probe(endpoint, row.connection_id, way, Purpose.KEEPALIVE, [row]))

    def follow_up(self, check: Answer) -> None:
        """After a check that found a live socket: the heartbeat that it turns out to need.

        It goes before others that wait: nobody else is known to be so near to falling silent. One
        that was throttled is tried once more; a client whose buffer is full misses nothing.
        """
        if not self._sends_heartbeats:
            return
        probe = check.probe
        seen_at = check.last_active_at
        is_awake = seen_at is not None and seen_at >= self._cutoffs.awake_after
        if is_awake or probe.follow_ups >= MOST_FOLLOW_UPS:
            return
        heartbeat = Probe(
            probe.endpoint,
            probe.connection_id,
            Ask.HEARTBEAT,
            Purpose.KEEPALIVE,
            probe.rows,
            follow_ups=probe.follow_ups + 1,
        )
        if heartbeat.follow_ups == 1:
            self._prober.ask_next(heartbeat)
        else:
            self._prober.ask_later(heartbeat, self._rules.confirm_delay_seconds)

    @property
    def _sends_heartbeats(self) -> bool:
        off = self._rules.triage.heartbeat_mode is HeartbeatMode.OFF
        return not off and not self._rules.dry_run

    def _way_to_ask(self, rows: list[Row]) -> Ask:
        if self._rules.dry_run:
            return Ask.CHECK
        needs_heartbeat = any(how_to_ask(row, self._cutoffs) is Ask.HEARTBEAT for row in rows)
        return Ask.HEARTBEAT if needs_heartbeat else Ask.CHECK
