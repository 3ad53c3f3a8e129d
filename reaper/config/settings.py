"""What operators can set, as a frozen ``Settings``.

The fields of ``Settings`` are the one table of variables: parsing, ``reaper env`` and the table in
docs/variables.md are all made from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import tzinfo
from types import MappingProxyType

from reaper.config import parsers as read
from reaper.config.parsers import Variable, variable
from reaper.core.iam import table_id
from reaper.core.pacing.rate import SPREAD_FRACTION
from reaper.core.platform import MAX_SEGMENTS
from reaper.core.rows.clearing import Assigned, Clearing, parse_assigned
from reaper.core.rows.items import AttributePath, attribute_path
from reaper.core.rows.members import collection_in
from reaper.core.rows.row_filter import RowFilter, parse_row_filter
from reaper.core.sweep_rules import EvictAction, EvictScope
from reaper.core.triage import HeartbeatMode

PREFIX = "REAPER_"


@dataclass(frozen=True, slots=True)
class Settings:
    table_name: str = variable(
        "the DynamoDB table that holds the connections, or its ARN", read.table, required=True
    )
    table_index: str | None = variable(
        "scan this index instead, such as a sparse index of connections", read.text
    )
    api_endpoint: str | None = variable(
        "https://{api}.execute-api.{region}.amazonaws.com/{stage}, or its wss:// form;"
        " a custom domain needs no stage",
        read.text,
        shown="required unless rows carry it",
    )
    connection_id_attribute: AttributePath = variable(
        "where a row holds the connection id: a key or any attribute; this and every other"
        " attribute name may be a dotted path into maps; or many ids, each a connection: a set or"
        " list (ids[]), a list of maps (clients[].id), a map keyed by ids (clients{})",
        attribute_path,
        "connectionId",
    )
    connection_id_pattern: re.Pattern[str] | None = variable(
        "regular expression that must match the whole value, its first group the id"
        " (CONN#([^#]+)); other values belong to other kinds of rows",
        read.pattern,
        shown="the whole value",
    )
    row_filter: RowFilter = variable(
        "which rows are connection rows in a table that holds others: attribute=regex (SK=META),"
        " !attribute (absent, null or empty), several joined by ' && '; booleans and numbers match"
        " by their JSON text",
        parse_row_filter,
        absent=(),
    )
    connected_at_attribute: AttributePath = variable(
        "when the client connected: seconds to nanoseconds, ISO 8601, or the text that a common"
        " language prints; a date alone, or 4/5/2026, is no time; rows may lack it",
        attribute_path,
        "connectedAt",
    )
    connected_at_offset_seconds: float = variable(
        "added to that time: -10800 where it is the end of a TTL of three hours", read.offset, "0"
    )
    time_zone: tzinfo = variable(
        "of times that do not name theirs: an IANA name, or an offset such as -05:00",
        read.time_zone,
        "UTC",
    )
    last_seen_attribute: AttributePath = variable(
        "when the client was last heard of; rows may lack it", attribute_path, "lastSeenAt"
    )
    message_count_attribute: AttributePath = variable(
        "messages that the connection has carried; rows may lack it", attribute_path, "messageCount"
    )
    endpoint_attribute: tuple[AttributePath, ...] = variable(
        "where a row names its own endpoint: a URL, domain/stage, two attributes"
        " (domainName,stage), a map that holds them, or a domain or API id alone, whose stage then"
        " is that of REAPER_API_ENDPOINT",
        read.endpoint_attributes,
        absent=(),
    )
    allowed_endpoint_hosts: Mapping[str, str] = variable(
        "hosts besides execute-api of this Region that rows may name, such as custom domains, each"
        " host or host=URL: the URL at which rows that name that host are asked after",
        read.hosts,
        absent=MappingProxyType({}),
    )
    sweep_interval_seconds: float = variable(
        "from the start of one sweep to the start of the next", read.seconds(least=0.1), "300"
    )
    heartbeat_mode: HeartbeatMode = variable(
        "who gets a heartbeat: off (nobody), idle (the silent), always (all that are due)",
        read.one_of(HeartbeatMode),
        "idle",
    )
    heartbeat_interval_seconds: float = variable(
        "no live socket stays silent for longer; the platform closes it after 600",
        read.seconds(least=0.1),
        "480",
    )
    heartbeat_payload: bytes = variable(
        "what a heartbeat says, at most 32 KB", read.bytes_of(at_most=32 * 1024), '{"type":"ping"}'
    )
    max_heartbeat_ratio: float = variable(
        "heartbeats per message of the application; above it the heartbeat interval is stretched,"
        " 0 is no limit",
        read.amount,
        "0",
    )
    max_heartbeat_interval_seconds: float = variable(
        "how far it may be stretched; from 600 on the platform closes idle sockets",
        read.seconds(least=0.1),
        "540",
    )
    pong_timeout_seconds: float = variable(
        "a client that took a heartbeat must have been heard of after so long, which its row shows;"
        " 0 expects no pongs",
        read.seconds(),
        "0",
    )
    max_missed_pongs: int = variable(
        "so many unanswered heartbeats in a row, and a client is deaf, to be closed and evicted",
        read.count(least=1),
        "3",
    )
    fresh_seconds_or_default: float | None = variable(
        "a client seen this recently is left alone",
        read.seconds(),
        shown="heartbeat interval less sweep interval; with heartbeats off, the sweep interval",
    )
    newborn_grace_seconds: float = variable(
        "a row younger than this is left alone", read.seconds(), "60"
    )
    max_connection_age_seconds: float = variable(
        "who still answers 410 this long after it was first seen goes, whatever holds others, for"
        " no socket lives longer than 2 h; 0: age says nothing",
        read.connection_age,
        "7500",
    )
    confirm_delay_seconds: float = variable(
        "between two of the three 410s that convict, so a zombie goes after two of them",
        read.seconds(),
        "60",
    )
    quota_rps: float | None = variable(
        "API Gateway's throttle of this account and Region, shared by all its APIs",
        read.count(least=1),
        shown="the account's own where apigateway:GET on /account is granted, else 10000, or 2500"
        " in the Regions that have less",
    )
    quota_share: float = variable(
        "the part of it that the reaper may use", read.fraction(above=0), "0.1"
    )
    probe_timeout_seconds: float = variable(
        "a request without an answer by then is cut, its outcome unknown",
        read.seconds(least=0.1),
        "5",
    )
    max_in_flight: int | None = variable(
        "requests under way at once: a number, or auto for what rate and latency need",
        read.in_flight,
        "auto",
    )
    scan_segments: int = variable("parallel segments of the scan", read.count(1, MAX_SEGMENTS), "4")
    scan_max_rcu: float = variable(
        "read units a second that the scan may use; 0 is no limit", read.count(0), "0"
    )
    max_gone_fraction: float = variable(
        "hold all evictions when zombies are this part of the answering rows, or a larger one",
        read.fraction(),
        "0.5",
    )
    min_gone_rows: int = variable(
        "fewer zombies than this are never too many, but are questioned for five delays, not two",
        read.count(0),
        "20",
    )
    max_unknown_fraction: float = variable(
        "hold all evictions when this part of the answers is inconclusive, or a larger one",
        read.fraction(),
        "0.2",
    )
    evict_action: EvictAction = variable(
        "delete the row; clear the id and keep the row; or leave it to the on-evict hook",
        read.one_of(EvictAction),
        "delete",
    )
    evict_scope: EvictScope = variable(
        "row, or partition: all rows of its partition key go too", read.one_of(EvictScope), "row"
    )
    evict_remove: tuple[AttributePath, ...] = variable(
        "with clear: attributes that go with the id (gsi1pk,token)",
        read.attribute_paths,
        absent=(),
    )
    evict_set: Assigned = variable(
        "with clear: a JSON object of attributes to set, in which {now}, {now_ms} and {now_iso}"
        ' stand for the time ({"is_connected": false, "disconnectedAt": "{now_iso}"})',
        parse_assigned,
        absent=(),
    )
    on_evict_lambda: str | None = variable(
        "your $disconnect function, name or ARN: invoked before a row goes, which it does only if"
        " that succeeded",
        read.text,
    )
    on_evict_event_bus: str | None = variable(
        "EventBridge bus, name or ARN, that gets an event before a row goes", read.text
    )
    dry_run: bool = variable(
        "change nothing anywhere: ask by GET only and report what would be done",
        read.boolean,
        "false",
    )
    audit_log: str = variable(
        "file for one JSON line per eviction with the whole old row, or stdout", read.text, "stdout"
    )
    metrics: tuple[str, ...] = variable(
        "where metrics go, any of: emf (a line on stdout in CloudWatch's embedded format),"
        " cloudwatch (PutMetricData), prometheus (/metrics); or none",
        read.any_of("emf", "cloudwatch", "prometheus", "none"),
        "emf",
    )
    metrics_namespace: str = variable(
        "CloudWatch namespace of the metrics", read.text, "ConnectionReaper"
    )
    message_source: str = variable(
        "what counts the application's messages: cloudwatch, attribute (the rows) or none",
        read.one_of("cloudwatch", "attribute", "none"),
        "cloudwatch",
    )
    http_bind: tuple[str, int] | None = variable(
        "address of the status page, /metrics, /healthz and /status.json; empty for none",
        read.host_and_port,
        "127.0.0.1:9464",
        may_be_emptied=True,
    )
    alert_cooldown_seconds: float = variable(
        "after an alert, the next of its kind waits this long", read.seconds(), "900"
    )
    queue_url: str | None = variable(
        "SQS FIFO queue through which workers with the same settings share each sweep",
        read.fifo_queue,
    )
    log_format: str = variable(
        "console, json, or auto: console on a terminal, JSON elsewhere",
        read.one_of("auto", "console", "json"),
        "auto",
    )
    log_level: str = variable(
        "least severity that is logged", read.one_of("debug", "info", "warning", "error"), "info"
    )

    @property
    def table(self) -> str:
        """Its name, also where it was given by its ARN."""
        return table_id(self.table_name).name

    @property
    def expects_pongs(self) -> bool:
        return self.pong_timeout_seconds > 0

    @property
    def holds_many(self) -> bool:
        """Whether rows hold many connections, by the name of the attribute alone."""
        return bool(collection_in(self.connection_id_attribute))

    @property
    def clearing(self) -> Clearing:
        """What an eviction changes on a row that stays."""
        return Clearing(self.connection_id_attribute, self.evict_remove, self.evict_set)

    @property
    def spread_window_seconds(self) -> float:
        """How long ``reaper run`` takes over a sweep's calls."""
        return self.sweep_interval_seconds * SPREAD_FRACTION


def variables() -> dict[str, Variable]:
    """Every variable of the program by its name, in the order in which an operator meets them."""
    return {
        PREFIX + one.name.removesuffix("_or_default").upper(): one.metadata["variable"]
        for one in fields(Settings)
    }
