"""What each command does. Each returns its exit code."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from reaper import __version__, garbage, manual
from reaper.aws.errors import TableError
from reaper.check import check
from reaper.core.report import Report, SweepResult
from reaper.daemon import FLUSH_SECONDS, STOP_SECONDS, Daemon, leave_sweep_behind
from reaper.environment import schedule_warnings
from reaper.faults import publish, publish_fault
from reaper.reporting import make_alerts, make_publisher, make_sinks, serve
from reaper.restore import Fate, restore
from reaper.rounds import Alone, Rounds
from reaper.settings import Settings
from reaper.signals import is_stop, wait_for_signal
from reaper.telemetry.alerts import Alerts, configure_sentry
from reaper.telemetry.audit import audit_log_fault
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.progress import ProgressBar
from reaper.telemetry.publish import Publisher
from reaper.worker import Worker

DONE, FAILED, BAD_SETTINGS, HELD = 0, 1, 2, 3
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended; `run` and `sweep` end by themselves."""

SIGNAL_TICK_SECONDS = 0.05

log = structlog.get_logger()


def run(settings: Settings, worker: Worker) -> int:
    for warning in schedule_warnings(settings):
        log.warning(warning)
    configure_sentry()
    garbage.settle_in()
    alerts, history = make_alerts(settings), History()
    health = Health(settings.sweep_interval_seconds)
    sinks = make_sinks(settings, worker)
    server = serve(settings, worker, sinks, history, health)
    log.info(
        "reaper starts",
        version=__version__,
        table=settings.table_name,
        endpoint=settings.api_endpoint,
        interval_seconds=settings.sweep_interval_seconds,
        budget_rps=worker.budget_rps,
        heartbeat_mode=settings.heartbeat_mode.value,
        dry_run=settings.dry_run,
    )
    publisher = make_publisher(settings, alerts, history, sinks)
    rounds = _make_rounds(settings, worker, publisher, alerts, health)
    Daemon(worker, publisher, alerts, health, rounds).run()
    if server is not None:
        server.close()
    log.info("reaper has stopped")
    return DONE


def sweep(settings: Settings, worker: Worker, *, as_json: bool, trust_endpoint: bool) -> int:
    configure_sentry()
    garbage.settle_in()
    if settings.queue_url is not None:
        log.warning(
            "this sweep is of the whole table, at the whole budget, beside the workers who share"
            " theirs through REAPER_QUEUE_URL"
        )
    if trust_endpoint:
        log.warning(
            "the endpoint is trusted by --trust-endpoint: rows that answer 410 three times go, even"
            " where nobody lives who proves that they belong to it",
            endpoint=settings.api_endpoint,
            dry_run=settings.dry_run,
        )
    is_for_a_person = sys.stdout.isatty() and not as_json
    sinks = [] if is_for_a_person else make_sinks(settings, worker)
    publisher = make_publisher(settings, make_alerts(settings), History(), sinks)
    try:
        result = _sweep_until_signal(worker, trust_endpoint=trust_endpoint)
    except TableError as error:
        publish_fault(publisher, error)
        publisher.close(FLUSH_SECONDS)
        return fail(str(error))
    publish(publisher, result)
    publisher.close(FLUSH_SECONDS)
    if as_json:
        print(json.dumps(result.report.to_dict()))
    elif is_for_a_person:
        _show_report(result.report)
    if result.report.hold_reason is not None:
        return HELD
    if result.not_understood is not None:
        return fail(result.not_understood)
    return FAILED if result.fault is not None else DONE


def show_check(settings: Settings, worker: Worker) -> int:
    print("✓ settings are complete and credentials are found")
    ok = True
    if settings.audit_log != "stdout" and (fault := audit_log_fault(settings.audit_log)):
        print(f"✗ REAPER_AUDIT_LOG: {fault}")
        ok = False
    for finding in check(settings, worker):
        print(("✓ " if finding.ok else "✗ ") + finding.text, flush=True)
        ok = ok and finding.ok
    return DONE if ok else FAILED


def restore_rows(settings: Settings, worker: Worker, audit_file: str) -> int:
    try:
        fates = restore(Path(audit_file), worker.table, dry_run=settings.dry_run)
    except OSError as error:
        return fail(f"the audit file cannot be read: {error}")
    if settings.dry_run:
        print("dry run (--dry-run or REAPER_DRY_RUN): nothing was written; this would be done:")
    for fate, count in fates.items():
        print(f"{count} {fate.value}")
    if fates[Fate.FAILED]:
        return FAILED
    if not fates:
        return fail(
            f"{audit_file} holds no line of an eviction: is it what REAPER_AUDIT_LOG names?"
        )
    if fates[Fate.OTHER_TABLE]:
        print(f"only rows of {settings.table_name} are put back: see REAPER_TABLE_NAME")
    is_of_use = fates[Fate.RESTORED] + fates[Fate.NEWER] + fates[Fate.NO_ROW]
    return DONE if is_of_use else FAILED


def ask_health(settings: Settings) -> int:
    if settings.http_bind is None:
        return fail("REAPER_HTTP_BIND is empty, so there is no /healthz to ask")
    host, port = settings.http_bind
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(url, timeout=5) as response:
            print(response.read().decode())
        return DONE
    except urllib.error.HTTPError as error:
        return fail(f"not healthy: {error.read().decode()}")
    except OSError as error:
        return fail(f"no daemon answers at {url}: {error}")


def show_variables(*, markdown: bool, example: bool) -> int:
    if example:
        lines = manual.as_example()
    elif markdown:
        lines = manual.as_markdown()
    else:
        lines = manual.for_people(shutil.get_terminal_size().columns)
    for line in lines:
        print(line)
    return DONE


def fail(why: str) -> int:
    print(f"reaper: {why}", file=sys.stderr)
    return FAILED


def _make_rounds(
    settings: Settings, worker: Worker, publisher: Publisher, alerts: Alerts, health: Health
) -> Rounds:
    """Alone, or with others through REAPER_QUEUE_URL; only then that is imported."""
    interval_seconds = settings.sweep_interval_seconds
    if settings.queue_url is None:
        return Alone(interval_seconds, alerts)
    from reaper.aws.queue import WorkQueue
    from reaper.together import Together

    queue = WorkQueue(worker.session, worker.region, settings.queue_url)
    segments = settings.scan_segments
    log.info("sweeps are shared through a queue", queue=settings.queue_url, segments=segments)
    return Together(
        queue=queue,
        table=settings.table_name,
        segments=segments,
        interval_seconds=interval_seconds,
        publisher=publisher,
        alerts=alerts,
        health=health,
    )


def _sweep_until_signal(worker: Worker, *, trust_endpoint: bool) -> SweepResult:
    """Sweep on a thread of its own, so that the main thread can wait for signals.

    Raises what the sweep raises.
    """
    stopping = threading.Event()
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
                stopping.set()
                stopped_at = time.monotonic()
            if stopping.is_set() and time.monotonic() - stopped_at > STOP_SECONDS:
                leave_sweep_behind()
    return sweeping.result()


def _show_report(report: Report) -> None:
    table = Table(show_header=False, title="sweep")
    if report.dry_run:
        table.title = "dry run: nothing was changed, 'evicted' is what would have been"
    for name, value in report.to_dict().items():
        table.add_row(name, "–" if value is None else str(value))
    Console().print(table)
