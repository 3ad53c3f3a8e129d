"""What an account has in a Region: tables, and stages of WebSocket APIs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import boto3
import structlog

from reaper.aws.service_errors import AWS_FAULTS, fault_of
from reaper.aws.session import PATIENCE
from reaper.core.errors import TableError
from reaper.core.rows.endpoint import Endpoint, parse_endpoint

log = structlog.get_logger()

MAX_TABLES = 100

MAX_QUOTA_RPS = 1e6
"""Beyond any that AWS grants: something else has answered."""


def table_names(session: boto3.Session, region: str) -> list[str]:
    """Of at most 100 tables. Raises TableError."""
    client = session.client("dynamodb", region_name=region)
    try:
        return list(client.list_tables(Limit=MAX_TABLES)["TableNames"])
    except AWS_FAULTS as error:
        permission = "dynamodb:ListTables"
        cure = "name one: reaper discover TABLE"
        raise fault_of(error, permission, permission, TableError, cure) from None


def own_quota_rps(session: boto3.Session, region: str) -> float | None:
    """API Gateway's throttle of this account in a Region; None where AWS does not tell.

    It is soon answered or not at all: nobody may be kept waiting for it.
    """
    try:
        client = session.client("apigateway", region_name=region, config=PATIENCE)
        found = float(client.get_account()["throttleSettings"]["rateLimit"])
    except (*AWS_FAULTS, KeyError, TypeError, ValueError) as error:
        log.info("account's quota not known", why=str(error), so="the Region's default counts")
        return None
    return found if 0 < found <= MAX_QUOTA_RPS else None


def websocket_endpoints(session: boto3.Session, region: str) -> list[Endpoint]:
    """The stages of all WebSocket APIs; none where apigateway:GET is not granted."""
    try:
        return list(_stages(session, region))
    except AWS_FAULTS as error:
        log.warning("APIs not listed", why=str(error), cure="say --endpoint wss://…")
        return []


def _stages(session: boto3.Session, region: str) -> Iterator[Endpoint]:
    client = session.client("apigatewayv2", region_name=region)
    for page in client.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            if api["ProtocolType"] == "WEBSOCKET":
                for stage in client.get_stages(ApiId=api["ApiId"])["Items"]:
                    with suppress(ValueError):  # of a stand-in that answers elsewhere
                        yield parse_endpoint(f"{api['ApiEndpoint']}/{stage['StageName']}", region)
