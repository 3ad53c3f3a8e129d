"""Region, credentials and trust store: the one place where AWS's own configuration is read."""

from __future__ import annotations

import os

import boto3
from botocore.config import Config
from botocore.httpsession import get_cert_path

API_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="apigw-reaper",
)
"""For botocore's own clients, whose defaults wait for minutes."""


def region_of(session: boto3.Session) -> str | None:
    """The configured Region: AWS_REGION as in AWS's other SDKs and on ECS, else as in boto3."""
    return os.environ.get("AWS_REGION") or session.region_name


def ca_bundle(session: boto3.Session) -> str:
    """Path of the trusted certificates: AWS_CA_BUNDLE or ``ca_bundle``, else botocore's own."""
    configured = session._session.get_config_variable("ca_bundle")
    return str(configured or get_cert_path(True))
