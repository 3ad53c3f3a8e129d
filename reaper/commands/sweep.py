"""`reaper sweep`: one sweep, at the budget."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from reaper.commands.exit_codes import DONE, FAILED, HELD, fail
from reaper.commands.prepare import open_audit_log, prepare
from reaper.config.settings import Settings
from reaper.core.errors import TableError
from reaper.core.report.report import Report, SweepResult
from reaper.core.report.swept import Outcome, Swept
from reaper.daemon.gc_tuning import tune_gc
from reaper.daemon.shutdown import FLUSH_SECONDS, STOP_SECONDS, abandon_sweep, end_in_time
from reaper.daemon.signals import is_stop, wait_for_signal
from reaper.telemetry.alerts import configure_sentry
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.progress import ProgressBar
from reaper.wiring import (
    Sinks,
    make_alerts,
    make_clients,
    make_publisher,
    make_sinks,
    make_worker,
    with_own_quota,
)
from reaper.worker import Worker

SIGNAL_TICK_SECONDS = 0.05

log = structlog.get_logger()


def add_to(subparsers: Any) -> None:
    sweep = subparsers.add_parser(
        "sweep",
        help="sweep once, at the budget",
        description="Sweeps once, as fast as REAPER_QUOTA_RPS x REAPER_QUOTA_SHARE allows. Rows"
        " that answer 410 are asked again after REAPER_CONFIRM_DELAY_SECONDS, and once more after"
        " another, so it takes two minutes or more. Exit code 3 where the breaker holds evictions:"
        " the log says why, and what ends it; 1 where no row could be understood.",
    )
    sweep.add_argument(
        "--dry-run",
        action="store_true",
        help="change nothing: ask by GET only, and report what would be done",
    )
    sweep.add_argument(
        "--json", action="store_true", help="print the report as one JSON object, the last line"
    )
    sweep.add_argument(
        "--trust-endpoint",
        action="store_true",
        help="vouch for the endpoint: evict even if nobody lives who answers 200, or if zombies are"
        " REAPER_MAX_GONE_FRACTION of the answers or more; nothing else is lifted",
    )
    sweep.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    settings, session = prepare()
    if arguments.dry_run:
        settings = replace(settings, dry_run=True)
    audit = open_audit_log(settings)
    with closing(make_clients(settings, session)) as clients:
        configure_sentry()
        settings = with_own_quota(settings, clients.access)
        _say_what_is_special(settings, trust_endpoint=arguments.trust_endpoint)
        is_for_a_person = sys.stdout.isatty() and not arguments.json
        access, health = clients.access, Health(settings.sweep_interval_seconds)
        sinks = Sinks([], None) if is_for_a_person else make_sinks(settings, access, health)
        alerts = make_alerts(settings, access.region)
        publisher = make_publisher(settings, alerts, History(), health, sinks)
        worker = make_worker(settings, clients, audit)
        tune_gc()
        try:
            swept = _sweep_until_signal(worker, trust_endpoint=arguments.trust_endpoint)
            publisher.publish(swept)
        finally:
            publisher.close(FLUSH_SECONDS)
    result = swept.result
    if result is None:
        return fail(str(swept.fault))
    if arguments.json:
        print(json.dumps(result.report.to_dict()))
    elif is_for_a_person:
        _show_report(result.report)
    return _exit_code(result)


def _say_what_is_special(settings: Settings, *, trust_endpoint: bool) -> None:
    if settings.queue_url is not None:
        log.warning(
            "REAPER_QUEUE_URL not used",
            why="`reaper sweep` sweeps the whole table at the whole budget, beside the workers",
        )
    if trust_endpoint:
        log.warning(
            "endpoint trusted by --trust-endpoint",
            so="rows that answer 410 three times go, even where nobody lives who proves that they"
            " belong to it",
            endpoint=settings.api_endpoint,
            dry_run=settings.dry_run,
        )


def _exit_code(result: SweepResult) -> int:
    if result.report.hold_reason is not None:
        return HELD
    if result.not_understood is not None:
        return fail(str(result.not_understood))
    return FAILED if result.fault is not None else DONE


def _sweep_until_signal(worker: Worker, *, trust_endpoint: bool) -> Swept:
    """Sweep on a thread of its own, so that the main thread can wait for signals.

    Raises what the sweep raises, unless it is the table's fault.
    """
    stopping, began_at = threading.Event(), time.monotonic()
    with ProgressBar() as bar, ThreadPoolExecutor(1, thread_name_prefix="sweep") as pool:
        sweeping = pool.submit(
            worker.sweep,
            spread=False,
            trust_endpoint=trust_endpoint,
            is_stopping=stopping.is_set,
            on_progress=bar.show,
        )
        while not sweeping.done():
            if is_stop(wait_for_signal(SIGNAL_TICK_SECONDS)) and not stopping.is_set():
                end_in_time()
                stopping.set()
                stopped_at = time.monotonic()
            if stopping.is_set() and time.monotonic() - stopped_at > STOP_SECONDS:
                abandon_sweep()
    try:
        result = sweeping.result()
    except TableError as error:
        return Swept(Outcome.FAILED, time.monotonic() - began_at, None, error)
    is_stopped = stopping.is_set() and not result.report.complete
    outcome = Outcome.DONE if result.report.complete else Outcome.CUT_SHORT
    outcome = Outcome.STOPPED if is_stopped else outcome
    return Swept(outcome, time.monotonic() - began_at, result, result.fault)


def _show_report(report: Report) -> None:
    table = Table(show_header=False, title="sweep")
    if report.dry_run:
        table.title = "dry run: nothing was changed, 'evicted' is what would have been"
    for name, value in report.to_dict().items():
        table.add_row(name, "–" if value is None else str(value))
    Console().print(table)
