"""Alerts through Sentry: one event per kind and cool-down, and a cron monitor for silence."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import sentry_sdk
import structlog
from sentry_sdk.crons import MonitorStatus, capture_checkin
from sentry_sdk.types import Breadcrumb, MonitorConfig

from reaper import __version__
from reaper.core.masking import masked
from reaper.core.moments import duration_of
from reaper.core.report.condition import State
from reaper.core.report.outage import Over
from reaper.core.report.report import Report
from reaper.core.report.troubles import Kind, Level, Trouble

log = structlog.get_logger()

CHECKIN_PAUSE_SECONDS = 30.0
"""Sentry drops all but six check-ins a minute, and a sweep makes two."""

REMEMBERED_SWEEPS = 10
TEST_SECONDS = 5.0

MAX_SLUG, SLUG_DIGEST = 50, 8
"""Characters of a monitor's slug, and of the digest at its end."""

CRUMB_CATEGORY = "sweep"


def configure_sentry() -> None:
    """Start the SDK from SENTRY_DSN and its siblings. No DSN means silence, a wrong one a warning.

    Nothing is collected that we do not send ourselves: no log records, no local variables, since
    they hold connection ids and payloads. The SDK reads SENTRY_ENVIRONMENT by itself.
    """
    try:
        sentry_sdk.init(
            release=f"apigw-reaper@{__version__}",
            default_integrations=False,  # they would put headers on our requests to AWS
            auto_enabling_integrations=False,
            include_local_variables=False,
            send_default_pii=False,
            max_request_body_size="never",
            shutdown_timeout=0,  # we flush ourselves, within our own time
            before_breadcrumb=_only_ours,
        )
    except Exception as error:  # noqa: BLE001 - a wrong DSN is a warning and nothing else
        log.warning("SENTRY_DSN is not usable", why=str(error), so="alerts go nowhere")


def _only_ours(crumb: Breadcrumb, _: Any) -> Breadcrumb | None:
    """The SDK's own would hold the addresses of requests."""
    return crumb if crumb.get("category") == CRUMB_CATEGORY else None


class Watched(NamedTuple):
    """What alerts are about: together with their kind it tells them from all others."""

    region: str
    table: str
    endpoint: str | None = None
    """None where rows carry theirs."""
    dry_run: bool = False

    @property
    def slug(self) -> str:
        """That of the cron monitor, which no other Region or table can have.

        Sentry allows 50 characters of few kinds, so a digest stands for what they cannot say.
        """
        name = f"{self.region}/{self.table}"
        digest = sha256(name.encode()).hexdigest()[:SLUG_DIGEST]
        readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
        return f"reaper-{readable[: MAX_SLUG - SLUG_DIGEST - 8]}-{digest}"


class Alerts:
    """Raises alerts, each kind at most once per cool-down."""

    def __init__(
        self,
        watched: Watched,
        cooldown_seconds: float,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._cooldown_seconds = cooldown_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._raised: dict[Kind, tuple[float, Level]] = {}
        """Since the last recovery: when each kind was told of last, and how urgent it was."""
        self._last_checkin = -math.inf
        self._last_sweeps: deque[Breadcrumb] = deque(maxlen=REMEMBERED_SWEEPS)

    def alert(self, trouble: Trouble, state: State, report: Report | None = None) -> None:
        """Raise one alert with the report's numbers, unless its kind is cooling down."""
        kind, level = trouble.kind, trouble.level
        if self._is_cooling_down(trouble):
            return
        self._raised[kind] = (self._clock(), level)
        tell = log.warning if level is Level.WARNING else log.error
        tell("alert", kind=kind.value, why=trouble.why, cure=trouble.cure, runbook=kind.runbook)
        message = f"{kind.value}: {trouble}{level.urgency} (see {kind.runbook})"
        self._send(kind.value, message, level.value, state, report)

    def _is_cooling_down(self, trouble: Trouble) -> bool:
        """What has become worse is told at once."""
        raised_at, level = self._raised.get(trouble.kind, (-math.inf, trouble.level))
        is_of_late = self._clock() - raised_at < self._cooldown_seconds
        return is_of_late and trouble.level.rank <= level.rank

    def recovered(self, over: Over) -> None:
        """Tell that all is well again, if it was told that it was not."""
        if not self._raised:
            return
        self._raised.clear()
        message = (
            f"recovered: reaper is ok again, after {duration_of(over.lasted_seconds)}, at worst"
            f" {over.worst.state.value} ({over.worst.why})"
        )
        self._send("recovered", message, "info", State.OK, None)

    def send_test(self) -> str | None:
        """Send an alert that says it is a test. Returns why Sentry did not take it, or None."""
        transport = sentry_sdk.get_client().transport
        if transport is None:
            return "SENTRY_DSN is not set, or not usable"
        dropped: list[str] = []
        transport.on_dropped_event = dropped.append  # type: ignore[attr-defined]
        message = "test: reaper's alerts arrive; nothing is wrong"
        self._send("test", message, "info", State.OK, None)
        started_at = time.monotonic()
        sentry_sdk.flush(TEST_SECONDS)
        if dropped == ["status_429"]:
            return "Sentry takes no more for the moment (429): try again in a minute"
        if dropped:
            return f"Sentry did not take it ({dropped[0]}): correct SENTRY_DSN"
        if time.monotonic() - started_at >= TEST_SECONDS:
            return f"no answer of Sentry within {TEST_SECONDS:g} s"
        return None

    def _send(
        self, kind: str, message: str, level: str, state: State, report: Report | None
    ) -> None:
        watched = self._watched
        with sentry_sdk.new_scope() as scope:
            scope.fingerprint = ["reaper", kind, watched.region, watched.table]
            scope.set_tag("kind", kind)
            scope.set_tag("state", state.value)
            scope.set_tag("region", watched.region)
            scope.set_tag("table", watched.table)
            scope.set_tag("endpoint", watched.endpoint or "on the rows")
            scope.set_tag("dry_run", str(watched.dry_run).lower())
            if report is not None:
                scope.set_context("sweep", report.to_dict())
            for crumb in self._last_sweeps:
                scope.add_breadcrumb(crumb)
            scope.capture_message(masked(message), level=level)  # type: ignore[arg-type]

    def remember(self, report: Report, at: float) -> None:
        """A sweep that alerts to come are to tell of; ``at`` is in epoch seconds."""
        self._last_sweeps.append(
            {
                "category": CRUMB_CATEGORY,
                "level": "info" if report.hold_reason is None else "warning",
                "timestamp": datetime.fromtimestamp(at, UTC),
                "message": f"{report.scanned} rows: {report.live} live, {report.evicted} evicted,"
                f" {report.held} held, {report.unknown} unknown",
                "data": report.to_dict(),
            }
        )

    def sweep_started(self) -> str | None:
        """Check in with the cron monitor. Returns the check-in to be closed, if there is one."""
        if not self._may_check_in():
            return None
        return capture_checkin(
            monitor_slug=self._watched.slug,
            status=MonitorStatus.IN_PROGRESS,
            monitor_config=self._monitor_config,
        )

    def sweep_ended(self, checkin: str | None, seconds: float, *, ok: bool) -> None:
        if checkin is not None:
            self._close(checkin, seconds, ok=ok)

    def check_in(self, seconds: float, *, ok: bool) -> None:
        """Check in with a sweep that is over already."""
        if self._may_check_in():
            self._close(None, seconds, ok=ok)

    def _may_check_in(self) -> bool:
        now = self._clock()
        if now - self._last_checkin < CHECKIN_PAUSE_SECONDS:
            return False
        self._last_checkin = now
        return True

    def _close(self, checkin: str | None, seconds: float, *, ok: bool) -> None:
        capture_checkin(
            monitor_slug=self._watched.slug,
            check_in_id=checkin,
            status=MonitorStatus.OK if ok else MonitorStatus.ERROR,
            duration=seconds,
            monitor_config=self._monitor_config,
        )

    def flush(self, timeout_seconds: float) -> None:
        sentry_sdk.flush(timeout_seconds)

    @property
    def _monitor_config(self) -> MonitorConfig:
        """The monitor as the settings imply it; Sentry knows whole minutes only."""
        minutes = max(1, math.ceil(self._interval_seconds / 60))
        return {
            "schedule": {"type": "interval", "value": minutes, "unit": "minute"},
            "checkin_margin": minutes,
            "max_runtime": 3 * minutes,
            "failure_issue_threshold": 1,
            "recovery_threshold": 1,
        }
