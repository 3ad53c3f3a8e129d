"""The statement that grants a missing permission, ready to be put into a policy."""

from __future__ import annotations

import json

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
