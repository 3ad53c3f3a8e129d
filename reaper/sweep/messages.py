"""How many messages the application sent, while a worker sweeps: by CloudWatch, or by the rows."""

from __future__ import annotations

import structlog

from reaper.core.errors import MessagesUnknown
from reaper.core.portion import Extrapolation, Portion, share_of
from reaper.core.report.tally import Tally
from reaper.core.rows.endpoint import Endpoint
from reaper.sweep.ports import MessageSource

log = structlog.get_logger()


class MessageCounter:
    """Counts the messages that belong to a sweep, for as much of the table as it is about.

    Counts of workers who sweep a table together add up. Each knows its own heartbeats only, and
    takes those of the others to be as many for their parts of the table: all parts are samples.
    """

    def __init__(self, source: MessageSource | None, *, by_rows: bool) -> None:
        self._source = source
        self._by_rows = by_rows
        self._heartbeats = Extrapolation()

    def note(self, tally: Tally, portion: Portion, now: float) -> None:
        """A running sweep has come so far."""
        if self._source is not None:
            sweep, share = portion.started_at, share_of(portion)
            total = self._heartbeats.total_with(sweep, tally.heartbeats, share)
            self._source.note_heartbeats(total, now)

    def sweep_over(self, tally: Tally, portion: Portion) -> None:
        self._heartbeats.add(portion.started_at, tally.heartbeats, share_of(portion))

    def count(
        self, endpoints: list[Endpoint], tally: Tally, portion: Portion, now: float
    ) -> int | None:
        """The messages of a sweep that is over; None where nobody counts them."""
        if self._by_rows:
            return round(tally.counted_messages)
        if self._source is None:
            return None
        self._source.note_heartbeats(self._heartbeats.total, now)
        try:
            return round(self._source.count(endpoints, now) * share_of(portion))
        except MessagesUnknown as error:
            log.warning("messages not counted", why=str(error))
            return None
