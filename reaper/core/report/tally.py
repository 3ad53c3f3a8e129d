"""The counters of a running sweep that are not an endpoint's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reaper.core.errors import TableUnfit
from reaper.core.model import Reason, Zombie
from reaper.core.report.ratio import messages_in_window
from reaper.core.rows.row import Row
from reaper.core.triage import RowKind


@dataclass(slots=True)
class Tally:
    triaged: Counter[RowKind] = field(default_factory=Counter)
    heartbeats: int = 0
    heartbeats_refused: int = 0
    """POSTs to sockets that a check had found alive, answered 403."""
    evicted_by_reason: Counter[Reason] = field(default_factory=Counter)
    changed: int = 0
    held: int = 0
    failed: int = 0
    passed_over: int = 0
    """Items that are no connection rows by the operator's pattern or filter."""
    message_window_seconds: float = 0.0
    counted_messages: float = 0.0
    """Messages in that window by the counters on the rows."""

    def pass_over(self, items: int) -> None:
        self.passed_over += items

    def count_heartbeat(self) -> None:
        """The gateway took one."""
        self.heartbeats += 1

    def count_refused_heartbeat(self) -> None:
        self.heartbeats_refused += 1

    def hold(self, rows: int) -> None:
        self.held += rows

    def fail(self, rows: int) -> None:
        self.failed += rows

    def keep(self, rows: int) -> None:
        """They changed since they were read."""
        self.changed += rows

    def count_evicted(self, zombies: Iterable[Zombie]) -> None:
        self.evicted_by_reason.update(zombie.reason for zombie in zombies)

    @property
    def evicted(self) -> int:
        return self.evicted_by_reason.total()

    def count_triage(self, rows_by_kind: Mapping[RowKind, Sequence[Row]]) -> None:
        self.triaged.update({kind: len(rows) for kind, rows in rows_by_kind.items()})

    def count_messages(self, rows: Iterable[Row], now: float) -> None:
        """Add what the counters of live connections tell about the window."""
        for row in rows:
            if row.message_count:
                age = None if row.connected_at is None else now - row.connected_at
                self.counted_messages += messages_in_window(
                    row.message_count, age, self.message_window_seconds
                )

    @property
    def scanned(self) -> int:
        return self.triaged.total()

    @property
    def malformed(self) -> int:
        return self.triaged[RowKind.MALFORMED]

    @property
    def foreign(self) -> int:
        return self.triaged[RowKind.FOREIGN]


def not_understood(
    tally: Tally, id_attribute: str, *, may_lack_ids: bool, holds_many: bool
) -> TableUnfit | None:
    """Why no row of a table that has rows is a connection to be looked after, with the cure.

    ``may_lack_ids``: a row without an id is somebody who is not connected; ``holds_many``: ids are
    members of rows.
    """
    if tally.passed_over and not tally.scanned and holds_many:
        return TableUnfit(
            f"none of {tally.passed_over:,} rows holds ids in {id_attribute}",
            "correct REAPER_CONNECTION_ID_ATTRIBUTE, _PATTERN or REAPER_ROW_FILTER"
            " ('reaper discover' finds what fits)",
        )
    if tally.passed_over and not tally.scanned:
        return TableUnfit(
            f"all {tally.passed_over:,} rows are of other kinds by REAPER_CONNECTION_ID_PATTERN and"
            " REAPER_ROW_FILTER",
            "correct them ('reaper discover' finds what fits)",
        )
    if tally.foreign and tally.foreign + tally.malformed == tally.scanned:
        return TableUnfit(
            f"{tally.foreign:,} rows belong to other endpoints or Regions",
            "correct REAPER_ENDPOINT_ATTRIBUTE, REAPER_ALLOWED_ENDPOINT_HOSTS or AWS_REGION",
        )
    if tally.malformed and tally.malformed == tally.scanned and not may_lack_ids:
        return TableUnfit(
            f"none of {tally.malformed:,} rows has a usable connection id in {id_attribute}",
            "correct REAPER_CONNECTION_ID_ATTRIBUTE or REAPER_CONNECTION_ID_PATTERN"
            " ('reaper discover' finds what fits)",
        )
    return None
