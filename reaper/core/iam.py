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
    apis = f"arn:{partition_of(region).name}:execute-api:{region}:*"
    return f"{apis}:{api}/{stage}/{ask.value}/@connections/*"
