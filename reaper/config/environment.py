"""The environment, read once: into Settings, or into a list of everything that is wrong with it."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, cast

from environs import Env, EnvValidationError, ValidationError

from reaper.config.aws_variables import aws_faults
from reaper.config.parsers import Variable
from reaper.config.settings import PREFIX, Settings, variables
from reaper.core.iam import table_id
from reaper.core.platform import IDLE_TIMEOUT_SECONDS
from reaper.core.rows.clearing import Clearing, overlapping
from reaper.core.rows.endpoint import parse_endpoint
from reaper.core.rows.items import AttributePath, spelled
from reaper.core.rows.members import collection_in
from reaper.core.sweep_rules import EvictAction, EvictScope
from reaper.core.triage import HeartbeatMode


class SettingsError(Exception):
    """Every fault of the environment at once: variable name -> what is wrong and what cures it."""

    def __init__(self, faults: Mapping[str, list[str]]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name} {' and '.join(why)}" for name, why in faults.items()))


def load_settings(
    region: str | None, stand_ins: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Read the environment. ``region`` is the one that AWS's own configuration names, if any.

    ``stand_ins`` are values, by variable, for what is not set. Raises SettingsError with every
    fault at once.
    """
    env = Env(eager=False)
    env.add_parser("variable", _read)
    values = {
        one.name: env.variable(name, stand_ins.get(name, variable.default), variable=variable)
        for one, (name, variable) in zip(fields(Settings), variables().items(), strict=True)
    }
    faults: dict[str, list[str]] = {}
    of_table = _region_of_table(values)
    try:
        env.seal()
    except EnvValidationError as error:
        faults.update(cast("dict[str, list[str]]", error.error_messages))
    if region and of_table and of_table != region:
        name = f"{PREFIX}TABLE_NAME"
        faults.setdefault(name, []).append(f"is in Region {of_table}, and AWS_REGION is {region}")
    for name, why in _contradictions(values, region or of_table):
        faults.setdefault(name, []).append(why)
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def load_http_bind() -> tuple[str, int] | None:
    """REAPER_HTTP_BIND alone, for who only asks how the daemon is. Raises SettingsError."""
    name = f"{PREFIX}HTTP_BIND"
    variable = variables()[name]
    try:
        found = _read(os.environ.get(name, variable.default), variable)
    except ValidationError as error:
        raise SettingsError({name: [str(error)]}) from None
    return cast("tuple[str, int] | None", found)


def _region_of_table(values: Mapping[str, Any]) -> str | None:
    """That of its ARN, if it was given by it and can be read."""
    name = values["table_name"]
    return table_id(name).region if name else None


def _read(given: str, variable: Variable) -> Any:
    value = given.strip() or ("" if variable.may_be_emptied else variable.default)
    if not value:
        if variable.required:
            raise ValidationError(f"is required: {variable.meaning}")
        return variable.absent
    try:
        return variable.parse(value)
    except ValueError as error:
        raise ValidationError(f"{error} (it is {reprlib.repr(value)})") from None


def _contradictions(values: Mapping[str, Any], region: str | None) -> Iterator[tuple[str, str]]:
    """What is wrong although each variable by itself can be read."""
    endpoint = values["api_endpoint"]
    if endpoint:
        try:
            parse_endpoint(endpoint, region)
        except ValueError as error:
            yield f"{PREFIX}API_ENDPOINT", f"{error} (it is {endpoint!r})"
    elif not values["endpoint_attribute"]:
        yield (
            f"{PREFIX}API_ENDPOINT",
            "is required, unless REAPER_ENDPOINT_ATTRIBUTE says where rows carry it:"
            " https://{api}.execute-api.{region}.amazonaws.com/{stage}",
        )
    elif not region:
        yield "AWS_REGION", "is required where REAPER_API_ENDPOINT does not name the Region"
    for host, url in (values["allowed_endpoint_hosts"] or {}).items():
        try:
            if url:
                parse_endpoint(url, region)
        except ValueError as error:
            yield f"{PREFIX}ALLOWED_ENDPOINT_HOSTS", f"says of {host} what {error} (it is {url!r})"
    yield from _heartbeat_contradictions(values)
    yield from _metrics_contradictions(values)
    yield from _eviction_contradictions(values)
    yield from _member_contradictions(values)
    yield from aws_faults(os.environ)


def _cleared_twice(values: Mapping[str, Any]) -> tuple[AttributePath, AttributePath] | None:
    clearing = Clearing(
        values["connection_id_attribute"], values["evict_remove"] or (), values["evict_set"] or ()
    )
    return overlapping(clearing.paths)


def _heartbeat_contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    heartbeat = values["heartbeat_interval_seconds"]
    if (
        heartbeat is not None
        and heartbeat >= IDLE_TIMEOUT_SECONDS
        and values["heartbeat_mode"] is not HeartbeatMode.OFF
    ):
        yield (
            f"{PREFIX}HEARTBEAT_INTERVAL_SECONDS",
            f"must be below {IDLE_TIMEOUT_SECONDS}, the silence after which API Gateway closes a"
            f" socket; or set REAPER_HEARTBEAT_MODE=off (it is {heartbeat:g})",
        )
    if values["max_heartbeat_ratio"] and values["message_source"] == "none":
        yield (
            f"{PREFIX}MAX_HEARTBEAT_RATIO",
            "is a limit in heartbeats per message, and REAPER_MESSAGE_SOURCE=none counts no"
            " messages: set it to cloudwatch or attribute",
        )
    if values["pong_timeout_seconds"] and values["heartbeat_mode"] is HeartbeatMode.OFF:
        yield (
            f"{PREFIX}PONG_TIMEOUT_SECONDS",
            "expects answers to heartbeats, of which REAPER_HEARTBEAT_MODE=off sends none",
        )


def _metrics_contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sinks = values["metrics"] or ()
    if "none" in sinks and len(sinks) > 1:
        yield f"{PREFIX}METRICS", "is none and something else: which is meant?"
    if "prometheus" in sinks and values["http_bind"] is None:
        yield (
            f"{PREFIX}METRICS",
            "is prometheus, which fetches /metrics, and REAPER_HTTP_BIND is empty: set it",
        )


def _eviction_contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    has_hook = values["on_evict_lambda"] or values["on_evict_event_bus"]
    if values["evict_action"] is EvictAction.HOOK and not has_hook:
        yield (
            f"{PREFIX}EVICT_ACTION",
            "is hook, but there is none: set REAPER_ON_EVICT_LAMBDA or REAPER_ON_EVICT_EVENT_BUS",
        )
    for name in ("evict_remove", "evict_set"):
        if values[name] and values["evict_action"] is not EvictAction.CLEAR:
            yield (
                f"{PREFIX}{name.upper()}",
                "is for rows that stay: set REAPER_EVICT_ACTION=clear",
            )
    if values["connection_id_attribute"] and (pair := _cleared_twice(values)):
        one, other = map(spelled, pair)
        yield (
            f"{PREFIX}EVICT_REMOVE",
            f"and REAPER_EVICT_SET must not change what the id, or each other, change: {one} and"
            f" {other}",
        )
    if (
        values["evict_scope"] is EvictScope.PARTITION
        and values["evict_action"] is not EvictAction.DELETE
    ):
        yield (
            f"{PREFIX}EVICT_SCOPE",
            "is partition, whose rows can only be deleted: set REAPER_EVICT_ACTION=delete",
        )


def _member_contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of rows that hold many connections, or of settings that speak of such."""
    id_path: AttributePath = values["connection_id_attribute"] or ()
    collection = collection_in(id_path)
    beside = id_path[: len(collection) + 1] if collection else ()
    told = {
        "connected_at_attribute": [values["connected_at_attribute"]],
        "last_seen_attribute": [values["last_seen_attribute"]],
        "message_count_attribute": [values["message_count_attribute"]],
        "endpoint_attribute": values["endpoint_attribute"],
        "row_filter": [condition.path for condition in values["row_filter"] or ()],
    }
    for name, path in (
        (name, path) for name, paths in told.items() for path in paths or () if path
    ):
        is_inside = collection_in(path) or (collection and _leads_into(path, collection))
        if is_inside and not (beside and _leads_into(path, beside)):
            yield (
                f"{PREFIX}{name.upper()}",
                f"speaks of members that REAPER_CONNECTION_ID_ATTRIBUTE does not: it is"
                f" {spelled(path)}, and the ids are in {spelled(id_path)}",
            )
    if not collection:
        return
    many = f"as {spelled(id_path)} means many connections in a row"
    if values["evict_action"] is EvictAction.CLEAR:
        yield f"{PREFIX}EVICT_ACTION", f"must be delete or hook, {many}: the member goes as a whole"
    if values["pong_timeout_seconds"]:
        yield (f"{PREFIX}PONG_TIMEOUT_SECONDS", f"must be 0, {many}: pongs are counted on rows")
    if values["evict_scope"] is EvictScope.PARTITION:
        yield f"{PREFIX}EVICT_SCOPE", f"must be row, {many}"
    for name in ("evict_remove", "evict_set"):
        if values[name]:
            yield f"{PREFIX}{name.upper()}", f"must be empty, {many}: it would be of all of them"


def _leads_into(path: AttributePath, place: AttributePath) -> bool:
    return path[: len(place)] == place
