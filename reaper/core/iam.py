"""The statement that grants a missing permission, ready to be put into a policy."""

from __future__ import annotations

import json

from reaper.core.model import Ask
from reaper.core.rows.endpoint import Endpoint


def statement(action: str, resource: str) -> str:
    """One statement of an IAM policy, as JSON."""
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def connections_arn(endpoint: Endpoint, ask: Ask) -> str:
    """What execute-api:ManageConnections is granted on; each method has its own."""
    api, stage = endpoint.api_id or "*", endpoint.stage or "*"
    region = endpoint.region
    return (
        f"arn:{partition(region)}:execute-api:{region}:*:{api}/{stage}/{ask.value}/@connections/*"
    )


def partition(region: str) -> str:
    """Which of AWS's partitions a Region is in."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
