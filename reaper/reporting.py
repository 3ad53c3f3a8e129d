"""Who is told of sweeps, and how: alerts, metric sinks and the status page, from the settings."""

from __future__ import annotations

import time

import structlog

from reaper import __version__
from reaper.aws.session import API_CONFIG
from reaper.settings import Settings
from reaper.telemetry.alerts import Alerts
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.publish import Publisher
from reaper.telemetry.sinks import Sink
from reaper.telemetry.web.server import HttpServer
from reaper.telemetry.web.site import Exposition, site
from reaper.telemetry.web.status import Setup, Status
from reaper.worker import Worker

log = structlog.get_logger()


def make_alerts(settings: Settings) -> Alerts:
    return Alerts(
        settings.table_name, settings.alert_cooldown_seconds, settings.sweep_interval_seconds
    )


def make_publisher(
    settings: Settings, alerts: Alerts, history: History, sinks: list[Sink]
) -> Publisher:
    return Publisher(sinks, alerts, history, settings.max_heartbeat_ratio)


def make_sinks(settings: Settings, worker: Worker) -> list[Sink]:
    """Those that REAPER_METRICS names; only they are imported."""
    sinks: list[Sink] = []
    quota_rps = settings.quota_rps_in(worker.region)
    about = settings.metrics_namespace, settings.table_name, quota_rps
    if "emf" in settings.metrics:
        from reaper.telemetry.sinks.emf import EmfSink

        sinks.append(EmfSink(*about))
    if "cloudwatch" in settings.metrics:
        from reaper.telemetry.sinks.cloudwatch import CloudWatchSink

        client = worker.session.client("cloudwatch", region_name=worker.region, config=API_CONFIG)
        sinks.append(CloudWatchSink(client, *about))
    if "prometheus" in settings.metrics:
        from reaper.telemetry.sinks.prometheus import PrometheusSink

        sinks.append(PrometheusSink(quota_rps))
    return sinks


def serve(
    settings: Settings, worker: Worker, sinks: list[Sink], history: History, health: Health
) -> HttpServer | None:
    """The daemon's pages at REAPER_HTTP_BIND; None where it is empty, or cannot be bound."""
    if settings.http_bind is None:
        return None
    setup = Setup(
        version=__version__,
        table=settings.table_name,
        endpoint=settings.api_endpoint,
        region=worker.region,
        dry_run=settings.dry_run,
        heartbeat_mode=settings.heartbeat_mode.value,
        interval_seconds=settings.sweep_interval_seconds,
        budget_rps=worker.budget_rps,
        quota_rps=settings.quota_rps_in(worker.region),
        ratio_limit=settings.max_heartbeat_ratio or None,
    )
    status = Status(setup, history, health, time.time)
    prometheus = next((sink for sink in sinks if isinstance(sink, Exposition)), None)
    try:
        return HttpServer(settings.http_bind, site(status, health, prometheus))
    except (OSError, ValueError) as error:
        log.error(
            "REAPER_HTTP_BIND cannot be bound, so there is no status page and no /healthz: choose a"
            " free address, or an empty value for none",
            error=str(error),
        )
        return None
