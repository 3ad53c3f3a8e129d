"""ARNs, and the statement that grants a missing permission, ready to be put into a policy."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from reaper.core.aws_partitions import partition_of
from reaper.core.model import Ask
from reaper.core.rows.endpoint import Endpoint

MANAGE_CONNECTIONS = "execute-api:ManageConnections"
"""What every request to the management API needs; each method is a grant of its own."""


def statement(action: str, resource: str) -> str:
    """One statement of an IAM policy, as JSON."""
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def connections_arn(endpoint: Endpoint, ask: Ask) -> str:
    """What MANAGE_CONNECTIONS is granted on for a method."""
    api, stage = endpoint.api_id or "*", endpoint.stage or "*"
    region = endpoint.region
    return arn_of("execute-api", region, f"{api}/{stage}/{ask.value}/@connections/*")


def arn_of_named(name: str, service: str, region: str, rest: str) -> str:
    """Of what operators may name by its ARN too."""
    return name if name.startswith("arn:") else arn_of(service, region, rest)


def arn_of(service: str, region: str, rest: str) -> str:
    """In whatever account the credentials are of."""
    return f"arn:{partition_of(region).name}:{service}:{region}:*:{rest}"


_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_TABLE_ARN = re.compile(
    r"arn:aws[a-z-]*:dynamodb:(?P<region>[a-z0-9-]+):\d{12}:table/(?P<name>[A-Za-z0-9_.-]{1,255})"
)


class TableId(NamedTuple):
    """What an operator calls a table by."""

    name: str
    arn: str | None = None
    region: str | None = None
    """Where it is, if its ARN says so."""


def table_id(text: str) -> TableId:
    """Of a table's name or ARN. Raises ValueError for an ARN that is no table's."""
    if _TABLE_NAME.fullmatch(text):
        return TableId(text)
    found = _TABLE_ARN.fullmatch(text)
    if found is None:
        raise ValueError(
            "must be a table's name or its ARN, such as"
            " arn:aws:dynamodb:us-east-1:123456789012:table/connections; an index is named in"
            " REAPER_TABLE_INDEX"
        )
    return TableId(found["name"], text, found["region"])
