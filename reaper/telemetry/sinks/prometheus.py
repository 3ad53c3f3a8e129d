"""Metrics for Prometheus, which fetches them from /metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from reaper.core.pacing.latency import BOUNDS_SECONDS, Latencies
from reaper.core.platform import MESSAGE_DOLLARS
from reaper.core.report.condition import State
from reaper.core.report.report import SweepResult
from reaper.core.report.swept import Outcome, Swept


class Build(NamedTuple):
    """What tells one reaper from another."""

    version: str
    region: str
    table: str


class HealthFacts(Protocol):
    """How the daemon is, when it is asked."""

    @property
    def state(self) -> State: ...
    @property
    def succeeded_at(self) -> float | None:
        """Epoch seconds."""


class PrometheusSink(Collector):
    """Adds up what only grows, and shows the last sweep's own figures."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, quota_rps: float, build: Build, health: HealthFacts) -> None:
        self._quota_rps = quota_rps
        self._build = build
        self._health = health
        self._lock = threading.Lock()
        self._last: SweepResult | None = None
        self._heartbeats = self._checks = self._messages = 0
        self._outcomes: Counter[str] = Counter(
            {"alive": 0, "gone": 0, "unknown": 0, "denied": 0, "throttled": 0}
        )
        self._evictions: Counter[str] = Counter({"gone": 0, "expired": 0, "deaf": 0})
        self._sweeps: Counter[str] = Counter({outcome.value: 0 for outcome in Outcome})
        self._evictions_failed = 0
        self._latencies = Latencies()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def publish(self, swept: Swept) -> None:
        with self._lock:
            self._sweeps[_result_of(swept)] += 1
            if swept.result is not None:
                self._add(swept.result)

    def _add(self, result: SweepResult) -> None:
        report, details = result.report, result.details
        if details.share:
            self._last = result
        self._heartbeats += report.heartbeats
        self._checks += report.checks
        self._messages += report.messages or 0
        self._outcomes.update(
            alive=report.alive,
            gone=report.confirmed,
            unknown=report.unknown - report.denied - report.throttled,
            denied=report.denied,
            throttled=report.throttled,
        )
        if not report.dry_run:
            self._evictions.update(details.evicted_by_reason)
        self._evictions_failed += report.failed
        self._latencies.add(details.latencies)

    def close(self, timeout_seconds: float) -> None:
        """Nothing waits."""

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            yield from self._totals()
            yield _histogram(self._latencies)
            yield from self._of_health()
            if self._last is not None:
                yield from self._of_last_sweep(self._last)

    def _totals(self) -> Iterator[Metric]:
        dollars = self._heartbeats * MESSAGE_DOLLARS
        for name, meaning, value in (
            ("reaper_heartbeats", "POSTs that the gateway took", self._heartbeats),
            ("reaper_checks", "GETs sent", self._checks),
            ("reaper_messages", "The application's own messages", self._messages),
            ("reaper_heartbeat_dollars", "What the heartbeats cost, in US dollars", dollars),
        ):
            yield CounterMetricFamily(name, meaning, value)
        probes = CounterMetricFamily(
            "reaper_probes", "Rows by what their answers came to", labels=["outcome"]
        )
        for outcome, count in self._outcomes.items():
            probes.add_metric([outcome], count)
        yield probes
        evictions = CounterMetricFamily("reaper_evictions", "Rows evicted", labels=["reason"])
        for reason, count in self._evictions.items():
            evictions.add_metric([reason], count)
        yield evictions
        yield CounterMetricFamily(
            "reaper_evictions_failed", "Zombies that could not be evicted", self._evictions_failed
        )
        sweeps = CounterMetricFamily("reaper_sweeps", "Sweeps by how they ended", labels=["result"])
        for result, count in self._sweeps.items():
            sweeps.add_metric([result], count)
        yield sweeps

    def _of_health(self) -> Iterator[Metric]:
        now_is = self._health.state
        states = GaugeMetricFamily(
            "reaper_health_state", "1 for the state that the reaper is in", labels=["state"]
        )
        for state in State:
            states.add_metric([state.value], float(state is now_is))
        yield states
        if (succeeded_at := self._health.succeeded_at) is not None:
            yield GaugeMetricFamily(
                "reaper_last_success_timestamp_seconds",
                "When a sweep last succeeded, in epoch seconds",
                succeeded_at,
            )
        yield InfoMetricFamily(
            "reaper_build", "Its version, and which table it sweeps", self._build._asdict()
        )

    def _of_last_sweep(self, result: SweepResult) -> Iterator[Metric]:
        report = result.report
        for name, meaning, value in (
            ("reaper_live_connections", "Rows alive, fresh or newborn", report.live),
            ("reaper_sweep_share", "Part of the table that it was about", result.details.share),
            ("reaper_zombies_held", "Zombies that were not evicted", report.held),
            ("reaper_sweep_duration_seconds", "Length of the last sweep", report.seconds),
            (
                "reaper_quota_utilization",
                "Part of the Region's quota used while sweeping, 0 to 1",
                report.probe_rps / self._quota_rps,
            ),
            ("reaper_breaker_open", "1 when evictions are held", report.hold_reason is not None),
            (
                "reaper_heartbeat_message_ratio",
                "Heartbeats per message of the application",
                report.heartbeat_message_ratio,
            ),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, meaning, value)


def _result_of(swept: Swept) -> str:
    """A sweep that did nothing of what it is for has failed, though it came to its end."""
    is_failure = swept.outcome is Outcome.DONE and swept.is_failure
    return (Outcome.FAILED if is_failure else swept.outcome).value


def _histogram(latencies: Latencies) -> Metric:
    bounds = ["+Inf" if bound == BOUNDS_SECONDS[-1] else str(bound) for bound in BOUNDS_SECONDS]
    return HistogramMetricFamily(
        "reaper_probe_latency_seconds",
        "From sending a request to the management API to its answer",
        buckets=list(zip(bounds, accumulate(latencies.counts), strict=True)),
        sum_value=latencies.total_seconds,
    )
