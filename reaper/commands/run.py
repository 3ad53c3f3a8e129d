"""`reaper run`: the daemon."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

import structlog

from reaper import __version__
from reaper.commands.exit_codes import DONE
from reaper.commands.prepare import open_audit_log, prepare
from reaper.config.effective import what_is_set
from reaper.config.rules import budget_rps
from reaper.config.warnings import schedule_warnings
from reaper.daemon.gc_tuning import tune_gc
from reaper.telemetry.alerts import configure_sentry
from reaper.wiring import make_clients, make_daemon, with_own_quota

log = structlog.get_logger()


def add_to(subparsers: Any) -> None:
    run = subparsers.add_parser(
        "run",
        help="sweep at once and then every interval, until SIGTERM",
        description="Sweeps at once and then every REAPER_SWEEP_INTERVAL_SECONDS, each sweep's"
        " calls spread over the interval. SIGTERM or SIGINT end it within 10 s: no new probes,"
        " in-flight requests complete, exit code 0.",
    )
    run.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    settings, session = prepare()
    for warning in schedule_warnings(settings):
        log.warning(warning)
    audit = open_audit_log(settings)
    with closing(make_clients(settings, session)) as clients:
        configure_sentry()
        settings = with_own_quota(settings, clients.access)
        daemon = make_daemon(settings, clients, audit)
        tune_gc()
        log.info(
            "reaper starts",
            version=__version__,
            table=settings.table,
            endpoint=settings.api_endpoint,
            region=clients.access.region,
            interval_seconds=settings.sweep_interval_seconds,
            budget_rps=budget_rps(settings, clients.access.region),
            heartbeat_mode=settings.heartbeat_mode.value,
            dry_run=settings.dry_run,
            settings=what_is_set(settings, clients.access.region),
        )
        daemon.run()
        log.info("reaper has stopped")
    return DONE
