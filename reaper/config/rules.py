"""From what the operator set to the rules that a sweep goes by."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from reaper.config.settings import Settings
from reaper.core.errors import TableUnfit
from reaper.core.evidence.breaker import BreakerLimits
from reaper.core.iam import table_id
from reaper.core.pacing.rate import SPREAD_FRACTION
from reaper.core.platform import default_quota_rps
from reaper.core.pongs import PongRules
from reaper.core.report.ratio import RatioLimit
from reaper.core.rows.endpoint import Endpoint, parse_endpoint
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import spelled
from reaper.core.rows.shape import RowShape, TableFacts
from reaper.core.sweep_rules import EvictAction, SweepRules
from reaper.core.triage import HeartbeatMode, TriageRules

TURNS_UNTIL_FORGOTTEN = 2
"""A count of missed pongs is void when its row has missed more turns than one in between."""


def quota_rps(settings: Settings, region: str) -> float:
    """The account's throttle of API Gateway in a Region."""
    return settings.quota_rps or default_quota_rps(region)


def budget_rps(settings: Settings, region: str) -> float:
    """Requests a second that the reaper may use of it."""
    return quota_rps(settings, region) * settings.quota_share


def configured_endpoint(settings: Settings, region: str | None) -> Endpoint | None:
    """That of REAPER_API_ENDPOINT; None where rows carry theirs."""
    return parse_endpoint(settings.api_endpoint, region) if settings.api_endpoint else None


def region_in_use(settings: Settings, region: str | None) -> str:
    """The one that AWS's own configuration names, else that of the table's ARN or the endpoint."""
    region = region or table_id(settings.table_name).region
    endpoint = configured_endpoint(settings, region)
    return region or (endpoint.region if endpoint else "")


def endpoint_resolver(settings: Settings, region: str | None) -> EndpointResolver:
    """Which endpoint a row belongs to."""
    allowed = {
        host: parse_endpoint(url, region) if url else None
        for host, url in settings.allowed_endpoint_hosts.items()
    }
    return EndpointResolver(configured_endpoint(settings, region), region, allowed)


def row_shape(settings: Settings, table: TableFacts) -> RowShape:
    """How rows look in a table.

    Raises TableUnfit where the table, or its index, cannot serve what is set.
    """
    shape = RowShape(
        key_names=table.key_names,
        projected=table.projected,
        connection_id=settings.connection_id_attribute,
        connected_at=settings.connected_at_attribute,
        last_seen_at=settings.last_seen_attribute,
        message_count=settings.message_count_attribute,
        endpoint=settings.endpoint_attribute,
        id_pattern=settings.connection_id_pattern,
        row_filter=settings.row_filter,
        counts_pongs=settings.expects_pongs,
        time_zone=settings.time_zone,
        connected_at_offset_seconds=settings.connected_at_offset_seconds,
    )
    if shape.collection:
        shape = shape.of_members
    if shape.missing:
        names = ", ".join(map(spelled, shape.missing))
        raise TableUnfit(
            f"the index of REAPER_TABLE_INDEX does not hold {names}", "add it to the projection"
        )
    if settings.queue_url and settings.expects_pongs:
        _refuse_pongs_out_of_sight(shape, table)
    if settings.evict_action is EvictAction.CLEAR and not shape.collection:
        _refuse_cleared_keys(settings, table)
    return shape


def _refuse_cleared_keys(settings: Settings, table: TableFacts) -> None:
    for path in settings.clearing.paths:
        if path[0] in table.key_names:
            is_id = path == settings.connection_id_attribute
            raise TableUnfit(
                f"REAPER_EVICT_ACTION=clear cannot remove {path[0]}, which is a key of table"
                f" {table.name}",
                "use delete" if is_id else "correct REAPER_EVICT_REMOVE or REAPER_EVICT_SET",
            )


def _refuse_pongs_out_of_sight(shape: RowShape, table: TableFacts) -> None:
    """A client is deaf if no row of its connection shows a sign of life, so all must be seen.

    A worker sees all of them if they are in one segment, as rows with one partition key are.
    """
    if shape.connection_id != (table.partition_key,):
        raise TableUnfit(
            f"REAPER_PONG_TIMEOUT_SECONDS with REAPER_QUEUE_URL needs {table.name} to have the"
            f" connection id as its partition key, which is {table.partition_key}: rows of one"
            " connection may be in segments of different workers, and one of them would call a"
            " client deaf that another hears",
            "use one worker (no REAPER_QUEUE_URL), or expect no pongs",
        )


def fresh_seconds(settings: Settings) -> float:
    """How recently a client must have been seen to be left alone."""
    if settings.fresh_seconds_or_default is not None:
        return settings.fresh_seconds_or_default
    if settings.heartbeat_mode is HeartbeatMode.OFF:
        return settings.sweep_interval_seconds
    return max(0.0, settings.heartbeat_interval_seconds - settings.sweep_interval_seconds)


def triage_rules(settings: Settings) -> TriageRules:
    return TriageRules(
        newborn_grace_seconds=settings.newborn_grace_seconds,
        max_connection_age_seconds=settings.max_connection_age_seconds,
        fresh_seconds=fresh_seconds(settings),
        heartbeat_mode=settings.heartbeat_mode,
        heartbeat_interval_seconds=settings.heartbeat_interval_seconds,
    )


def ratio_limit(settings: Settings) -> RatioLimit:
    """What may stretch the heartbeat interval. Without a limit it has no room for that."""
    shortest = settings.heartbeat_interval_seconds
    if not settings.max_heartbeat_ratio:
        return RatioLimit(inf, shortest, shortest)
    longest = max(shortest, settings.max_heartbeat_interval_seconds)
    return RatioLimit(settings.max_heartbeat_ratio, shortest, longest)


def sweep_rules(
    settings: Settings,
    *,
    heartbeat_interval_seconds: float,
    next_turn_at: float,
    budget_rps: float,
    first_rate_rps: float,
    spread_seconds: float,
    question_seconds: float,
    trust_endpoint: bool,
) -> SweepRules:
    """The rules of a sweep. Its heartbeat interval may be longer than the one that is set."""
    stretched = replace(settings, heartbeat_interval_seconds=heartbeat_interval_seconds)
    return SweepRules(
        triage=triage_rules(stretched),
        breaker=BreakerLimits(
            max_gone_fraction=settings.max_gone_fraction,
            min_gone_rows=settings.min_gone_rows,
            max_unknown_fraction=settings.max_unknown_fraction,
            trust_endpoint=trust_endpoint,
        ),
        pong=PongRules(
            timeout_seconds=settings.pong_timeout_seconds,
            max_missed=settings.max_missed_pongs,
            forget_after_seconds=TURNS_UNTIL_FORGOTTEN
            * (1 + SPREAD_FRACTION)
            * settings.sweep_interval_seconds,
        ),
        evict_action=settings.evict_action,
        evict_scope=settings.evict_scope,
        clearing=settings.clearing,
        confirm_delay_seconds=settings.confirm_delay_seconds,
        next_turn_at=next_turn_at,
        budget_rps=budget_rps,
        first_rate_rps=first_rate_rps,
        spread_seconds=spread_seconds,
        question_seconds=question_seconds,
        max_in_flight=settings.max_in_flight,
        dry_run=settings.dry_run,
    )
