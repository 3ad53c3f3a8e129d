"""What a sweep found and did: one value when it is over, and how far it has come before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from reaper.core.errors import TableUnfit
from reaper.core.evidence.breaker import Counts, HoldReason
from reaper.core.evidence.holds import Explanation
from reaper.core.model import Reason
from reaper.core.pacing.latency import Latencies
from reaper.core.report.ratio import heartbeat_message_ratio
from reaper.core.report.tally import Tally
from reaper.core.triage import RowKind


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running sweep has come."""

    scanned: int = 0
    row_estimate: int = 0
    """DynamoDB's own count, up to six hours old."""
    waiting: int = 0
    """Probes without a final answer."""
    gone: int = 0
    suspects: int = 0
    """Rows that have answered 410 and are asked again after a while."""
    next_look_seconds: float | None = None
    """When the first of them is, from now; None where none waits for its time."""
    is_evicting: bool = False
    calls: int = 0
    """Requests to the management API so far."""
    mean_latency_seconds: float = 0.0
    """Of its answers."""


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
    """Saved by the recheck or the delete's condition: touched since they were read."""
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


def summary(report: Report, evicted_by_reason: Mapping[Reason, int]) -> str:
    """One line for a person."""
    evicted = f"{report.evicted:,} {'would be evicted' if report.dry_run else 'evicted'}"
    if report.evicted:
        reasons = (f"{count:,} {reason}" for reason, count in evicted_by_reason.items() if count)
        evicted += f" ({', '.join(reasons)})"
    parts = [f"{report.alive:,} alive", evicted, f"{report.unknown:,} inconclusive"]
    left_alone = report.fresh + report.newborn
    others = {
        "left alone": left_alone,
        "foreign": report.foreign,
        "malformed": report.malformed,
        "still questioned": report.pending,
        "held": report.held,
        "failed": report.failed,
        "saved by the last look": report.changed,
    }
    parts += [f"{count:,} {what}" for what, count in others.items() if count]
    line = f"swept {report.scanned:,} rows in {_duration(report.seconds)}: {', '.join(parts)}"
    return line if report.complete else f"{line}; not all had their turn"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


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
    total_segments: int = 1
    """So many make up the table."""
    is_repeated: bool = False
    """Whether another sweep will count these segments, since this one did not get to their end."""
    why_held: Explanation | None = None
    """Where evictions are held."""
    why_unheard: Explanation | None = None
    """Where so many answers were inconclusive that it matters, though nothing is held for it."""

    @property
    def share(self) -> float:
        """The part of the table that the report counts for, from 0 to 1."""
        return 0.0 if self.is_repeated else len(self.segments) / self.total_segments


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A sweep that reached its end."""

    report: Report
    details: Details
    fault: Exception | None
    """What made evictions, heartbeats or pongs fail, if anything did."""
    not_understood: TableUnfit | None = None
    """Why no row at all could be understood, if so it was."""


def make_report(
    tally: Tally,
    counts: Sequence[Counts],
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
    return Report(
        scanned=tally.scanned,
        newborn=tally.triaged[RowKind.NEWBORN],
        fresh=tally.triaged[RowKind.FRESH],
        expired=tally.triaged[RowKind.EXPIRED],
        foreign=tally.foreign,
        malformed=tally.malformed,
        due=tally.triaged[RowKind.DUE],
        checks=checks,
        heartbeats=tally.heartbeats,
        alive=sum(one.alive for one in counts),
        gone=sum(one.gone for one in counts),
        confirmed=sum(one.confirmed for one in counts),
        unknown=sum(one.unknown for one in counts),
        denied=sum(one.denied for one in counts),
        throttled=sum(one.throttled for one in counts),
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
