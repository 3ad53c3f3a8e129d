"""What a sweep found and did: counters while it runs, one value when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from reaper.core.breaker import Counts, HoldReason
from reaper.core.latency import Latencies
from reaper.core.model import Reason, Row, Zombie
from reaper.core.ratio import heartbeat_message_ratio, messages_in_window
from reaper.core.triage import Triage


@dataclass(slots=True)
class Tally:
    """The counters of a running sweep that are not an endpoint's answers."""

    newborn: int = 0
    fresh: int = 0
    expired: int = 0
    foreign: int = 0
    malformed: int = 0
    due: int = 0
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

    def count_evicted(self, zombies: Iterable[Zombie]) -> None:
        self.evicted_by_reason.update(zombie.reason for zombie in zombies)

    @property
    def evicted(self) -> int:
        return self.evicted_by_reason.total()

    def count_triage(self, rows_by_kind: Mapping[Triage, Sequence[Row]]) -> None:
        for kind, rows in rows_by_kind.items():
            setattr(self, kind, getattr(self, kind) + len(rows))

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
        return self.newborn + self.fresh + self.expired + self.foreign + self.malformed + self.due


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running sweep has come."""

    scanned: int
    row_estimate: int
    """DynamoDB's own count, up to six hours old."""
    waiting: int
    """Rows that were scanned and have no verdict yet."""
    gone: int
    questioned: int
    """Rows that have answered 410 and are asked again after a while."""


@dataclass(frozen=True, slots=True)
class Report:
    """One sweep. The fields are those of ``reaper sweep --json``; counts are rows or calls.

    ``scanned = newborn + fresh + expired + foreign + malformed + due``;
    ``due + expired = alive + confirmed + unknown + pending`` if it is complete;
    ``evicted + changed + held + failed = confirmed``.
    """

    scanned: int
    newborn: int
    fresh: int
    expired: int
    foreign: int
    malformed: int
    due: int
    checks: int
    """GETs sent."""
    heartbeats: int
    """POSTs that the gateway took."""
    alive: int
    gone: int
    """First answers of 410."""
    confirmed: int
    """Those that every later strike bore out."""
    unknown: int
    denied: int
    throttled: int
    evicted: int
    """In a dry run: what would have been evicted."""
    changed: int
    """Saved by the last look or the delete's condition: touched since they were read."""
    held: int
    failed: int
    pending: int
    """Still questioned; it goes on in the next sweep."""
    hold_reason: HoldReason | None
    dry_run: bool
    complete: bool
    """Whether every row got its turn: the sweep was neither stopped nor cut short."""
    seconds: float
    probe_rps: float
    api_calls: int
    """Requests to the management API, which all count against the Region's quota."""
    messages: int | None
    """The application's own messages in the sweep's window; None when nothing counts them."""
    heartbeat_message_ratio: float | None

    @property
    def live(self) -> int:
        """Rows that answered 200, or were left alone as fresh or newborn."""
        return self.alive + self.fresh + self.newborn

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Details:
    """What there is to know of a sweep beside its report."""

    evicted_by_reason: Mapping[Reason, int]
    """As in the report: in a dry run, what would have been evicted."""
    latencies: Latencies
    """Of all answers of the gateway."""
    slowdowns: int
    """How often the account's throttle lowered the rate."""
    heartbeat_interval_seconds: float
    """What the sweep went by."""
    turn_calls: int = 0
    """Requests until every row had its turn; what came later was about suspects."""
    segments: tuple[int, ...] = (0,)
    """Those that it was about."""
    of: int = 1
    """So many make up the table."""

    @property
    def share(self) -> float:
        """The part of the table that the report is about, from 0 to 1."""
        return len(self.segments) / self.of


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A sweep that reached its end."""

    report: Report
    details: Details
    fault: Exception | None
    """What made evictions, heartbeats or pongs fail, if anything did."""
    not_understood: str | None = None
    """Why no row at all could be understood, if so it was."""


def not_understood(tally: Tally, id_attribute: str, *, may_lack_ids: bool) -> str | None:
    """Why no row of a table that has rows is a connection to be looked after, with the cure.

    ``may_lack_ids``: a row without an id is somebody who is not connected.
    """
    if tally.passed_over and not tally.scanned:
        return (
            f"all {tally.passed_over:,} rows are of other kinds by REAPER_CONNECTION_ID_PATTERN and"
            " REAPER_ROW_FILTER: correct them"
        )
    if tally.foreign and tally.foreign + tally.malformed == tally.scanned:
        return (
            f"{tally.foreign:,} rows belong to other endpoints or Regions: correct"
            " REAPER_ENDPOINT_ATTRIBUTE, REAPER_ALLOWED_ENDPOINT_HOSTS or AWS_REGION"
        )
    if tally.malformed and tally.malformed == tally.scanned and not may_lack_ids:
        return (
            f"none of {tally.malformed:,} rows has a usable connection id in {id_attribute}:"
            " correct REAPER_CONNECTION_ID_ATTRIBUTE or REAPER_CONNECTION_ID_PATTERN"
            " ('reaper check' shows what rows hold)"
        )
    return None


def make_report(
    tally: Tally,
    counts: Iterable[Counts],
    *,
    hold_reason: HoldReason | None,
    dry_run: bool,
    is_complete: bool,
    pending: int,
    checks: int,
    api_calls: int,
    seconds: float,
    messages: int | None,
) -> Report:
    """Add up the endpoints' counts and the sweep's own counters."""
    total = Counts()
    for one in counts:
        total.add(one)
    return Report(
        scanned=tally.scanned,
        newborn=tally.newborn,
        fresh=tally.fresh,
        expired=tally.expired,
        foreign=tally.foreign,
        malformed=tally.malformed,
        due=tally.due,
        checks=checks,
        heartbeats=tally.heartbeats,
        alive=total.alive,
        gone=total.gone,
        confirmed=total.confirmed,
        unknown=total.unknown,
        denied=total.denied,
        throttled=total.throttled,
        evicted=tally.evicted,
        changed=tally.changed,
        held=tally.held,
        failed=tally.failed,
        pending=pending,
        hold_reason=hold_reason,
        dry_run=dry_run,
        complete=is_complete,
        seconds=round(seconds, 3),
        probe_rps=round(api_calls / seconds, 1) if seconds else 0.0,
        api_calls=api_calls,
        messages=messages,
        heartbeat_message_ratio=heartbeat_message_ratio(tally.heartbeats, messages),
    )
