"""The parts of the reaper that no command of its own measures.

``python -m tests.bench.ours NAME COUNT`` prints one JSON object; settings are in the environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice

import boto3

from reaper.aws.clients import Clients
from reaper.config.environment import load_settings
from reaper.config.rules import (
    budget_rps,
    configured_endpoint,
    endpoint_resolver,
    row_shape,
    sweep_rules,
)
from reaper.config.settings import Settings
from reaper.core.evidence.evidence_rule import STRIKES
from reaper.core.model import Ask, Probe, Purpose, Reason, Zombie
from reaper.core.pacing.rate import AIMDRate
from reaper.core.report.tally import Tally
from reaper.core.rows.reader import RowReader
from reaper.daemon.gc_tuning import tune_gc
from reaper.sweep.beside import LaneThreads
from reaper.sweep.context import SweepContext
from reaper.sweep.eviction.close_sockets import SocketCloser
from reaper.sweep.eviction.evictor import Evictor
from reaper.sweep.prober import Prober
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.logs import configure_logs
from reaper.wiring import make_clients
from tests.bench.table_api import connection_id

IN_FLIGHT = 64

NAP_SECONDS = 0.0005
"""How often it is looked whether a batch of evictions has come further."""


def probes(clients: Clients, settings: Settings, count: int) -> Callable[[], None]:
    """Checks by ``aws/gateway.py``, 64 in flight; one in ten is gone."""
    endpoint = configured_endpoint(settings, clients.access.region)
    assert endpoint is not None
    gateway = clients.gateway
    ids = (connection_id(n, gone_percent=10) for n in range(count))
    waiting = (Probe(endpoint, one, Ask.CHECK, Purpose.DUE) for one in ids)

    def start(number: int) -> None:
        for probe in islice(waiting, number):
            gateway.start(probe)

    def run() -> None:
        start(IN_FLIGHT)
        while gateway.in_flight:
            start(len(gateway.poll(1.0)))

    return run


def evictions(clients: Clients, settings: Settings, count: int) -> Callable[[], None]:
    """Rows straight into the evictor: read again, written down, deleted on condition."""
    region, table = clients.access.region, clients.table
    shape = row_shape(settings, table.describe())
    reader = RowReader(shape, endpoint_resolver(settings, region))
    page = table.scan_page(shape, limit=count)
    zombies = [
        Zombie(row, Reason.GONE, {"strikes_at": [time.time()] * STRIKES})
        for row in reader.read_page(page.items(), time.time())
    ]
    rules = sweep_rules(
        settings,
        heartbeat_interval_seconds=settings.heartbeat_interval_seconds,
        next_turn_at=time.time() + settings.sweep_interval_seconds,
        budget_rps=budget_rps(settings, region),
        first_rate_rps=budget_rps(settings, region),
        spread_seconds=0,
        question_seconds=0,
        trust_endpoint=False,
    )
    context = SweepContext(rules, Tally(), time.monotonic, time.time)
    audit = AuditLog(settings.audit_log)
    closer = SocketCloser(Prober(clients.gateway, AIMDRate.starting_at(1, 0.0), 1, time.monotonic))
    evictor = Evictor(context, table, shape, reader, audit, LaneThreads(), closer)

    def run() -> None:
        evictor.evict(zombies)
        while evictor.is_busy:
            evictor.advance()
            time.sleep(NAP_SECONDS)
        assert context.tally.evicted == count

    return run


def main(name: str, count: int) -> None:
    settings = load_settings("eu-west-1")
    configure_logs("json", "info")
    with closing(make_clients(settings, boto3.Session())) as clients:
        run = globals()[name](clients, settings, count)
        tune_gc()
        started, started_cpu = time.perf_counter(), time.process_time()
        run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"per_second": count / seconds, "cpu_us": cpu / count * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
