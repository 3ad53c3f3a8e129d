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

from reaper import garbage
from reaper.context import SweepContext
from reaper.core.evidence import STRIKES
from reaper.core.model import Ask, Probe, Purpose, Reason, Zombie
from reaper.core.report import Tally
from reaper.core.rows import RowReader
from reaper.environment import load_settings
from reaper.eviction import Evictor
from reaper.rulebook import row_shape, sweep_rules
from reaper.settings import Settings
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.logs import configure_logs
from reaper.worker import Worker
from tests.bench.table_api import connection_id

IN_FLIGHT = 64


def probes(worker: Worker, settings: Settings, count: int) -> Callable[[], None]:
    """Checks by ``aws/gateway.py``, 64 in flight; one in ten is gone."""
    endpoint = settings.endpoint(worker.region)
    assert endpoint is not None
    gateway = worker.gateway
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


def evictions(worker: Worker, settings: Settings, count: int) -> Callable[[], None]:
    """Rows straight into the evictor: read again, written down, deleted on condition."""
    worker.table.describe()
    shape = row_shape(settings, worker.table)
    reader = RowReader(shape, worker.resolver)
    page = worker.table.scan_page(shape, limit=count)
    zombies = [
        Zombie(row, Reason.GONE, {"strikes_at": [time.time()] * STRIKES})
        for row in reader.read_page(page.items(), time.time())
    ]
    rules = sweep_rules(
        settings,
        heartbeat_interval_seconds=settings.heartbeat_interval_seconds,
        next_turn_at=time.time() + settings.sweep_interval_seconds,
        budget_rps=worker.budget_rps,
        first_rate_rps=worker.budget_rps,
        spread_seconds=0,
        question_seconds=0,
        trust_endpoint=False,
    )
    context = SweepContext(rules, Tally(), time.monotonic, time.time)
    evictor = Evictor(context, worker.table, shape, reader, AuditLog(settings.audit_log), [])

    def run() -> None:
        evictor.evict(zombies)
        assert context.tally.evicted == count

    return run


def main(name: str, count: int) -> None:
    settings = load_settings("eu-west-1")
    configure_logs("json", "info")
    with closing(Worker(settings, AuditLog("stdout"), boto3.Session())) as worker:
        run = globals()[name](worker, settings, count)
        garbage.settle_in()
        started, started_cpu = time.perf_counter(), time.process_time()
        run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"per_second": count / seconds, "cpu_us": cpu / count * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
