"""ARNs, and the statement that grants a missing permission, ready to be put into a policy."""

from __future__ import annotations

import json
from typing import NamedTuple

from reaper.core.aws_partitions import partition_of
from reaper.core.model import Ask
from reaper.core.rows.endpoint import Endpoint


def statement(action: str, resource: str) -> str:
    """One statement of an IAM policy, as JSON."""
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def connections_arn(endpoint: Endpoint, ask: Ask) -> str:
    """What execute-api:ManageConnections is granted on; each method has its own."""
    api, stage = endpoint.api_id or "*", endpoint.stage or "*"
    region = endpoint.region
    return arn_of("execute-api", region, f"{api}/{stage}/{ask.value}/@connections/*")


def arn_of_named(name: str, service: str, region: str, rest: str) -> str:
    """Of what operators may name by its ARN too."""
    return name if name.startswith("arn:") else arn_of(service, region, rest)


def arn_of(service: str, region: str, rest: str) -> str:
    """In whatever account the credentials are of."""
    return f"arn:{partition_of(region).name}:{service}:{region}:*:{rest}"


class TableId(NamedTuple):
    """What an operator calls a table by."""

    name: str
    arn: str | None = None
    region: str | None = None
    """Where it is, if its ARN says so."""


def table_id(text: str) -> TableId:
    """Of a table's name or ARN. Raises ValueError for an ARN that is no table's."""
    if not text.startswith("arn:"):
        return TableId(text)
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[2] != "dynamodb" or not parts[5].startswith("table/"):
        raise ValueError(
            "must be a table's name or its ARN, such as"
            " arn:aws:dynamodb:us-east-1:123456789012:table/connections"
        )
    name, slash, index = parts[5].removeprefix("table/").partition("/")
    if slash:
        raise ValueError(f"must be a table's ARN: name its {index.split('/')[0]} elsewhere")
    return TableId(name, text, parts[3])
