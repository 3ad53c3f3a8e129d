"""Preflight of what a sweep tells: hooks, message counts, metrics."""

from __future__ import annotations

import time

from reaper.aws.clients import Clients
from reaper.aws.cloudwatch import CloudWatchMessages, MetricsUnsent, try_put_metrics
from reaper.aws.hook import Hook
from reaper.config.settings import Settings
from reaper.core.errors import HookError, MessagesUnknown
from reaper.core.rows.endpoint import Endpoint
from reaper.preflight.finding import Finding, finding_of


def check_hook(hook: Hook) -> Finding:
    try:
        hook.try_out()
    except HookError as error:
        return finding_of(error, hook.arn)
    return Finding(True, f"{hook.permission} on {hook.name} is granted")


def check_messages(source: CloudWatchMessages, endpoints: set[Endpoint]) -> Finding:
    try:
        count = source.count(endpoints, time.time())
    except MessagesUnknown as error:
        return _named(finding_of(error, "*"), "REAPER_MESSAGE_SOURCE")
    return Finding(
        True, f"cloudwatch:GetMetricData is granted: {count} messages in the last window"
    )


def check_metrics(settings: Settings, clients: Clients) -> Finding:
    try:
        access = clients.access
        try_put_metrics(access.session, access.region, settings.metrics_namespace)
    except MetricsUnsent as error:
        return _named(finding_of(error, "*"), "REAPER_METRICS")
    return Finding(True, "cloudwatch:PutMetricData is granted")


def _named(finding: Finding, variable: str) -> Finding:
    """The same, with the variable that calls for it."""
    return finding._replace(text=f"{finding.text} ({variable})")
