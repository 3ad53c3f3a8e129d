"""The composition root: whatever runs is made here, from the settings."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import boto3
import structlog

from reaper import __version__
from reaper.aws.account import own_quota_rps
from reaper.aws.clients import Clients
from reaper.aws.cloudwatch import CloudWatchMessages
from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.dynamodb.table import MAX_ANSWER_BYTES, READ_TIMEOUT_SECONDS
from reaper.aws.event_bus import EventBusHook
from reaper.aws.gateway import MAX_CHECK_BYTES, Gateway
from reaper.aws.hook import Hook
from reaper.aws.lambda_hook import LambdaHook
from reaper.aws.session import API_CONFIG, Access, access, http_client, region_of
from reaper.config.rules import budget_rps, quota_rps, region_in_use
from reaper.config.settings import Settings
from reaper.core.iam import table_id
from reaper.daemon.daemon import Daemon
from reaper.schedule.interval import IntervalSchedule
from reaper.schedule.ports import Schedule
from reaper.sweep.beside import LaneThreads
from reaper.sweep.ports import Outside
from reaper.telemetry.alerts import Alerts, Watched
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.publish import Publisher
from reaper.telemetry.sinks import Sink
from reaper.telemetry.web.server import HttpServer
from reaper.telemetry.web.site import Exposition, site
from reaper.telemetry.web.status import Setup, Status
from reaper.worker import Worker

log = structlog.get_logger()


# What talks to AWS


def make_access(settings: Settings, session: boto3.Session) -> Access:
    """Raises NoCredentialsError or TrustStoreError."""
    return access(session, region_in_use(settings, region_of(session)))


def with_own_quota(settings: Settings, known: Access) -> Settings:
    """The same, with the account's own quota where none is set and AWS tells of it."""
    if settings.quota_rps is not None:
        return settings
    return replace(settings, quota_rps=own_quota_rps(known.session, known.region))


def make_table(settings: Settings, known: Access) -> ConnectionsTable:
    return make_table_named(settings.table_name, settings.table_index, known)


def make_table_named(name: str, index: str | None, known: Access) -> ConnectionsTable:
    """By its name or its ARN. Raises ValueError for an ARN that is no table's."""
    return ConnectionsTable(
        table_id(name),
        index,
        known.region,
        known.session._session,
        lambda: http_client(known, "dynamodb", READ_TIMEOUT_SECONDS, MAX_ANSWER_BYTES),
    )


def make_clients(settings: Settings, session: boto3.Session) -> Clients:
    """Raises NoCredentialsError or TrustStoreError."""
    known = make_access(settings, session)
    return Clients(
        access=known,
        table=make_table(settings, known),
        gateway=make_gateway(known, settings.probe_timeout_seconds, settings.heartbeat_payload),
        hooks=_make_hooks(settings, known),
        messages=(
            CloudWatchMessages(session, known.region, settings.sweep_interval_seconds)
            if settings.message_source == "cloudwatch"
            else None
        ),
    )


def make_gateway(known: Access, timeout_seconds: float, heartbeat_payload: bytes) -> Gateway:
    client = http_client(known, "execute-api", timeout_seconds, MAX_CHECK_BYTES)
    return Gateway(client, heartbeat_payload)


def _make_hooks(settings: Settings, known: Access) -> list[Hook]:
    hooks: list[Hook] = []
    session, region = known.session, known.region
    if name := settings.on_evict_lambda:
        hooks.append(LambdaHook(known, name))
    if name := settings.on_evict_event_bus:
        hooks.append(EventBusHook(session, region, name, settings.table))
    return hooks


# What sweeps


def make_worker(settings: Settings, clients: Clients, audit: AuditLog) -> Worker:
    outside = Outside(
        table=clients.table,
        gateway=clients.gateway,
        audit=audit,
        beside=LaneThreads(),
        hooks=clients.hooks,
        messages=clients.messages,
        connects=clients.messages,
    )
    return Worker(settings, clients.access.region, outside)


def make_daemon(settings: Settings, clients: Clients, audit: AuditLog) -> Daemon:
    """The worker with its schedule, and everybody who is told of its sweeps."""
    alerts, history = make_alerts(settings, clients.access.region), History()
    health = Health(settings.sweep_interval_seconds)
    sinks = make_sinks(settings, clients.access, health)
    publisher = make_publisher(settings, alerts, history, health, sinks)
    schedule = _make_schedule(settings, clients.access, publisher, health)
    status = _make_status(settings, clients.access.region, history, health, schedule)
    return Daemon(
        make_worker(settings, clients, audit),
        publisher,
        alerts,
        health,
        schedule,
        _serve(settings, status, health, sinks.prometheus),
    )


def _make_schedule(
    settings: Settings, known: Access, publisher: Publisher, health: Health
) -> Schedule:
    """By the interval, or shared with others through REAPER_QUEUE_URL; only then it is imported."""
    interval_seconds = settings.sweep_interval_seconds
    if settings.queue_url is None:
        return IntervalSchedule(interval_seconds)
    from reaper.aws.sqs import WorkQueue
    from reaper.config.fingerprint import fingerprint
    from reaper.core.segments import shared_name
    from reaper.schedule.shared import SharedSchedule

    queue = WorkQueue(known.session, known.region, settings.queue_url)
    segments = settings.scan_segments
    log.info("sweeps shared through a queue", queue=settings.queue_url, segments=segments)
    return SharedSchedule(
        queue=queue,
        table=shared_name(known.region, settings.table),
        settings=fingerprint(),
        total_segments=segments,
        interval_seconds=interval_seconds,
        publisher=publisher,
        health=health,
    )


# Who is told


class Sinks(NamedTuple):
    """Where metrics go."""

    all: list[Sink]
    prometheus: Exposition | None
    """The one of them that is asked for its metrics, instead of sending them."""


def make_sinks(settings: Settings, known: Access, health: Health) -> Sinks:
    """Those that REAPER_METRICS names; only they are imported."""
    sinks: list[Sink] = []
    prometheus = None
    quota = quota_rps(settings, known.region)
    about = settings.metrics_namespace, settings.table, quota
    if "emf" in settings.metrics:
        from reaper.telemetry.sinks.emf import EmfSink

        sinks.append(EmfSink(*about))
    if "cloudwatch" in settings.metrics:
        from reaper.telemetry.sinks.cloudwatch import CloudWatchSink

        client = known.session.client("cloudwatch", region_name=known.region, config=API_CONFIG)
        sinks.append(CloudWatchSink(client, *about))
    if "prometheus" in settings.metrics:
        from reaper.telemetry.sinks.prometheus import Build, PrometheusSink

        build = Build(__version__, known.region, settings.table)
        prometheus = PrometheusSink(quota, build, health)
        sinks.append(prometheus)
    return Sinks(sinks, prometheus)


def make_alerts(settings: Settings, region: str) -> Alerts:
    watched = Watched(region, settings.table, settings.api_endpoint, settings.dry_run)
    return Alerts(watched, settings.alert_cooldown_seconds, settings.sweep_interval_seconds)


def make_publisher(
    settings: Settings, alerts: Alerts, history: History, health: Health, sinks: Sinks
) -> Publisher:
    return Publisher(sinks.all, alerts, history, health, settings.max_heartbeat_ratio)


def _make_status(
    settings: Settings, region: str, history: History, health: Health, schedule: Schedule
) -> Status:
    setup = Setup(
        version=__version__,
        table=settings.table,
        endpoint=settings.api_endpoint,
        region=region,
        dry_run=settings.dry_run,
        heartbeat_mode=settings.heartbeat_mode.value,
        interval_seconds=settings.sweep_interval_seconds,
        budget_rps=budget_rps(settings, region),
        quota_rps=quota_rps(settings, region),
        ratio_limit=settings.max_heartbeat_ratio or None,
        audit_log=settings.audit_log,
    )
    return Status(setup, history, health, time.time, lambda: schedule.next_sweep_at)


def _serve(
    settings: Settings, status: Status, health: Health, prometheus: Exposition | None
) -> HttpServer | None:
    """The daemon's pages at REAPER_HTTP_BIND; None where it is empty, or cannot be bound."""
    if settings.http_bind is None:
        return None
    try:
        return HttpServer(settings.http_bind, site(status, health, prometheus))
    except (OSError, ValueError) as error:
        log.error(
            "no status page and no /healthz",
            why=f"REAPER_HTTP_BIND cannot be bound: {error}",
            cure="choose a free address, or an empty value for none",
        )
        return None
