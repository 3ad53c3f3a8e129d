"""The least IAM policy for a sweep by these settings, with which `reaper check` is content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reaper.config.rules import configured_endpoint
from reaper.config.settings import Settings
from reaper.core.iam import MANAGE_CONNECTIONS, arn_of, arn_of_named, connections_arn
from reaper.core.model import Ask
from reaper.core.rows.endpoint import parse_endpoint
from reaper.core.sweep_rules import EvictAction, EvictScope
from reaper.core.triage import HeartbeatMode

Statement = dict[str, Any]


def policy(settings: Settings, region: str) -> dict[str, Any]:
    """As JSON has it. It names every account, since that of the credentials is the only one."""
    statements = [
        *_of_table(settings, region),
        _of_connections(settings, region),
        *_of_hooks(settings, region),
        *_of_cloudwatch(settings),
        *_of_queue(settings, region),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def row_actions(settings: Settings) -> list[str]:
    """What evictions need of the table."""
    actions = ["dynamodb:BatchGetItem"]
    if settings.evict_action is EvictAction.DELETE:
        actions.append(f"dynamodb:{'UpdateItem' if settings.holds_many else 'DeleteItem'}")
    if settings.evict_scope is EvictScope.PARTITION:
        actions += ["dynamodb:Query", "dynamodb:ConditionCheckItem"]
    if settings.evict_action is EvictAction.CLEAR or settings.expects_pongs:
        actions.append("dynamodb:UpdateItem")
    return actions


def asks(settings: Settings) -> list[Ask]:
    """The methods of @connections that are used."""
    found = [Ask.CHECK]
    if settings.heartbeat_mode is not HeartbeatMode.OFF:
        found.append(Ask.HEARTBEAT)
    if settings.expects_pongs:
        found.append(Ask.CLOSE)
    return found


def _allow(sid: str, actions: list[str], *resources: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _of_table(settings: Settings, region: str) -> Iterator[Statement]:
    table = arn_of("dynamodb", region, f"table/{settings.table}")
    yield _allow("Rows", ["dynamodb:DescribeTable", *row_actions(settings)], table)
    scanned = f"{table}/index/{settings.table_index}" if settings.table_index else table
    yield _allow("Scan", ["dynamodb:Scan"], scanned)


def _of_connections(settings: Settings, region: str) -> Statement:
    """Each method has its own resource. Where rows name their APIs, any API may be meant."""
    endpoint = configured_endpoint(settings, region)
    if settings.endpoint_attribute or endpoint is None:
        endpoint = parse_endpoint("https://any.invalid", region)
    resources = [connections_arn(endpoint, ask) for ask in asks(settings)]
    return _allow("Connections", [MANAGE_CONNECTIONS], *resources)


def _of_hooks(settings: Settings, region: str) -> Iterator[Statement]:
    if function := settings.on_evict_lambda:
        resource = arn_of_named(function, "lambda", region, f"function:{function}")
        yield _allow("OnEvictLambda", ["lambda:InvokeFunction"], resource)
    if bus := settings.on_evict_event_bus:
        resource = arn_of_named(bus, "events", region, f"event-bus/{bus}")
        yield _allow("OnEvictEventBus", ["events:PutEvents", "events:DescribeEventBus"], resource)


def _of_cloudwatch(settings: Settings) -> Iterator[Statement]:
    if settings.message_source == "cloudwatch":
        yield _allow("Messages", ["cloudwatch:GetMetricData"], "*")
    if "cloudwatch" in settings.metrics:
        statement = _allow("Metrics", ["cloudwatch:PutMetricData"], "*")
        namespace = {"cloudwatch:namespace": settings.metrics_namespace}
        yield statement | {"Condition": {"StringEquals": namespace}}


def _of_queue(settings: Settings, region: str) -> Iterator[Statement]:
    """The settings do not name the dead-letter queue, of which only the length is read."""
    if settings.queue_url is None:
        return
    actions = ("SendMessage", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")
    queue = arn_of("sqs", region, settings.queue_url.rsplit("/", 1)[1])
    yield _allow("Queue", [f"sqs:{action}" for action in actions], queue)
    yield _allow("QueueLengths", ["sqs:GetQueueAttributes"], arn_of("sqs", region, "*"))
