"""Preflight of what a sweep tells: hooks, message counts, metrics."""

from __future__ import annotations

import time

from reaper.aws.clients import Clients
from reaper.aws.cloudwatch import CloudWatchMessages, MetricsUnsent, try_put_metrics
from reaper.aws.hook import Hook
from reaper.config.settings import Settings
from reaper.core.errors import AccessDenied, HookAccessDenied, HookError, MessagesUnknown
from reaper.core.rows.endpoint import Endpoint
from reaper.preflight.finding import Finding, not_granted


def check_hook(hook: Hook) -> Finding:
    try:
        hook.try_out()
    except HookAccessDenied as error:
        return not_granted(error.permission, hook.arn)
    except HookError as error:
        return Finding(False, str(error))
    return Finding(True, f"{hook.permission} on {hook.name} is granted")


def check_messages(source: CloudWatchMessages, endpoints: set[Endpoint]) -> Finding:
    try:
        count = source.count(endpoints, time.time())
    except AccessDenied:
        return not_granted("cloudwatch:GetMetricData", "*")
    except MessagesUnknown as error:
        return Finding(False, f"{error} (REAPER_MESSAGE_SOURCE)")
    return Finding(
        True, f"cloudwatch:GetMetricData is granted: {count} messages in the last window"
    )


def check_metrics(settings: Settings, clients: Clients) -> Finding:
    try:
        access = clients.access
        try_put_metrics(access.session, access.region, settings.metrics_namespace)
    except AccessDenied:
        return not_granted("cloudwatch:PutMetricData", "*")
    except MetricsUnsent as error:
        return Finding(False, f"{error} (REAPER_METRICS)")
    return Finding(True, "cloudwatch:PutMetricData is granted")
