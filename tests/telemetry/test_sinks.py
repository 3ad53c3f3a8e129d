"""The metric sinks. What arrives at a real CloudWatch is in the integration tests."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reaper.core.evidence.breaker import HoldReason
from reaper.core.model import Reason
from reaper.core.pacing.latency import Latencies
from reaper.telemetry.health import Health
from reaper.telemetry.sinks.emf import EmfSink
from reaper.telemetry.sinks.metrics import UNITS, metrics
from reaper.telemetry.sinks.prometheus import Build, PrometheusSink
from tests.support.reports import a_report, a_sweep

BUILD = Build("1.2.3", "eu-west-1", "t")

REPORT = a_report(
    scanned=100,
    fresh=10,
    newborn=5,
    due=85,
    checks=50,
    heartbeats=40,
    alive=70,
    gone=10,
    confirmed=10,
    unknown=5,
    denied=2,
    throttled=1,
    evicted=8,
    held=2,
    seconds=2.0,
    probe_rps=500.0,
    messages=80,
    heartbeat_message_ratio=0.5,
    hold_reason=HoldReason.TOO_MANY_UNKNOWN,
)


def test_every_metric_has_its_unit_and_what_is_unknown_is_left_out():
    known = metrics(a_sweep(REPORT), quota_rps=10_000)
    assert known.keys() == UNITS.keys()
    assert known["LiveConnections"] == 85
    assert known["QuotaUtilization"] == 5.0
    assert known["HeartbeatDollars"] == pytest.approx(40e-6)
    unknown = metrics(a_sweep(a_report()), quota_rps=10_000)
    assert UNITS.keys() - unknown.keys() == {"Messages", "HeartbeatMessageRatio"}


def test_the_sums_of_workers_who_share_sweeps_are_those_of_one_who_sweeps_alone():
    """Of three sweeps of 8 segments; what the sweeps of the table came to is told by the shares."""
    parts = [(0, 1, 2), (3, 4, 5, 6, 7), (0,), (1, 2, 3, 4), (5, 6, 7), tuple(range(8))]
    sums: Counter[str] = Counter()
    for segments in parts:
        live = 100 * len(segments)
        report = a_report(fresh=live, heartbeats=len(segments), messages=2 * len(segments))
        sums.update(metrics(a_sweep(report, segments=segments, total_segments=8), 10_000))
    assert sums["SweepShare"] == 3
    assert sums["LiveConnections"] / sums["SweepShare"] == 800
    assert sums["HeartbeatsSent"] / sums["Messages"] == 0.5


def test_a_dry_run_evicts_nothing():
    assert metrics(a_sweep(a_report(dry_run=True, evicted=5)), 10_000)["ZombiesEvicted"] == 0


def test_emf_is_one_line_for_each_sweep(capsys):
    sink = EmfSink("Spaced Name", "t", 10_000, lambda: 1_795_500_000.0)
    sink.publish(a_sweep(REPORT))
    sink.publish(a_sweep(REPORT))
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    line = json.loads(first)
    assert line["_aws"]["Timestamp"] == 1_795_500_000_000
    assert line["HoldReason"] == "too-many-unknown"


def a_prometheus(health: Health | None = None) -> PrometheusSink:
    return PrometheusSink(10_000, BUILD, health or Health(300))


def families(sink: PrometheusSink) -> dict[str, float]:
    """Every sample by its name and labels, as a Prometheus would read it."""
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sample.labels.items()): (
            sample.value
        )
        for family in text_string_to_metric_families(sink.exposition().decode())
        for sample in family.samples
    }


def test_prometheus_adds_up_counters_and_shows_the_last_sweeps_gauges():
    sink = a_prometheus()
    latencies = Latencies()
    latencies.observe(0.003)
    latencies.observe(0.2)
    evicted = {Reason.GONE: 7, Reason.DEAF: 1}
    sink.publish(a_sweep(REPORT, latencies=latencies, evicted_by_reason=evicted))
    sink.publish(a_sweep(a_report(heartbeats=2, alive=3, seconds=4.0)))

    shown = families(sink)
    expected = {
        "reaper_heartbeats_total": 42,
        "reaper_checks_total": 50,
        "reaper_messages_total": 80,
        "reaper_heartbeat_dollars_total": 42 * 1e-6,
        "reaper_probes_total outcome=alive": 73,
        "reaper_probes_total outcome=gone": 10,
        "reaper_probes_total outcome=unknown": 2,
        "reaper_probes_total outcome=denied": 2,
        "reaper_probes_total outcome=throttled": 1,
        "reaper_evictions_total reason=gone": 7,
        "reaper_evictions_total reason=deaf": 1,
        "reaper_evictions_total reason=expired": 0,
        "reaper_probe_latency_seconds_bucket le=0.005": 1,
        "reaper_probe_latency_seconds_bucket le=0.1": 1,
        "reaper_probe_latency_seconds_bucket le=0.25": 2,
        "reaper_probe_latency_seconds_bucket le=+Inf": 2,
        "reaper_probe_latency_seconds_count": 2,
        "reaper_live_connections": 3,
        "reaper_zombies_held": 0,
        "reaper_sweep_duration_seconds": 4.0,
        "reaper_quota_utilization": 0.0,
        "reaper_breaker_open": 0,
    }
    assert shown | expected == shown
    assert "reaper_heartbeat_message_ratio" not in shown


def test_before_the_first_sweep_prometheus_reads_zeros():
    shown = families(a_prometheus())
    assert shown["reaper_heartbeats_total"] == 0
    assert "reaper_live_connections" not in shown


def test_a_dry_run_counts_no_evictions():
    sink = a_prometheus()
    sink.publish(a_sweep(a_report(dry_run=True), evicted_by_reason={Reason.GONE: 7}))
    assert families(sink)["reaper_evictions_total reason=gone"] == 0


def test_a_portion_that_another_worker_has_to_finish_is_not_counted_twice():
    """What it did is told; what the table looks like is told by who finishes it."""
    whole = a_sweep(a_report(fresh=800, heartbeats=10))
    broken_off = a_sweep(a_report(fresh=90, heartbeats=5), segments=(), total_segments=8)
    known = metrics(broken_off, 10_000)
    assert known["SweepShare"] == 0
    assert {"LiveConnections", "ZombiesHeld", "QuotaUtilization"}.isdisjoint(known)
    sink = a_prometheus()
    sink.publish(whole)
    sink.publish(broken_off)
    assert families(sink)["reaper_live_connections"] == 800
    assert families(sink)["reaper_heartbeats_total"] == 15
