"""With what right AWS is called: Region, credentials and trust, out of AWS's own configuration."""

from __future__ import annotations

import os
from typing import NamedTuple

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from reaper.aws.transport.trust import Trust, trust

API_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="apigw-reaper",
)
"""For botocore's own clients, whose defaults wait for minutes."""


class Access(NamedTuple):
    """What every client is made from."""

    session: boto3.Session
    region: str
    credentials: Credentials
    trust: Trust


def region_of(session: boto3.Session) -> str | None:
    """The configured Region: AWS_REGION as in AWS's other SDKs and on ECS, else as in boto3."""
    return os.environ.get("AWS_REGION") or session.region_name


def access(session: boto3.Session, region: str) -> Access:
    """Raises NoCredentialsError when botocore's chain yields none, or TrustStoreError."""
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return Access(session, region, credentials, trust(session))
