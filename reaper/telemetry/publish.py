"""A sweep's report goes to the log, the metric sinks and the alert rules."""

from __future__ import annotations

import time

import structlog

from reaper.core.breaker import HoldReason
from reaper.core.report import Report
from reaper.telemetry.alerts import Alerts, Kind
from reaper.telemetry.emf import emf_line, print_emf

log = structlog.get_logger()


class Publisher:
    """Tells everybody who wants to know what came of a sweep."""

    def __init__(
        self,
        alerts: Alerts,
        sinks: tuple[str, ...],
        namespace: str,
        table: str,
        quota_rps: float,
    ) -> None:
        self._alerts = alerts
        self._sinks = sinks
        self._namespace = namespace
        self._table = table
        self._quota_rps = quota_rps

    def publish(self, report: Report) -> None:
        """Log and measure a sweep that reached its end; alert on what the breaker held."""
        log.info("sweep finished", **report.to_dict())
        if "emf" in self._sinks:
            self._emit(report)
        if report.hold_reason is HoldReason.DENIED:
            self._alerts.alert(
                Kind.ACCESS_DENIED, "the gateway refuses the reaper's requests", report
            )
        elif report.hold_reason is not None:
            self._alerts.alert(
                Kind.EVICTIONS_HELD,
                f"{report.held} evictions are held: {report.hold_reason}",
                report,
            )

    def _emit(self, report: Report) -> None:
        line = emf_line(
            report,
            namespace=self._namespace,
            table=self._table,
            quota_rps=self._quota_rps,
            now=time.time(),
        )
        try:
            print_emf(line)
        except OSError as error:
            log.error("metrics cannot be written to stdout", error=str(error))

    def publish_fault(self, fault: Exception, report: Report | None, *, is_denied: bool) -> None:
        """Alert on a sweep that broke off, or whose evictions failed."""
        kind = Kind.ACCESS_DENIED if is_denied else Kind.SWEEP_FAILED
        self._alerts.alert(kind, str(fault) or type(fault).__name__, report)
