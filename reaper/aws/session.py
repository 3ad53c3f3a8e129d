"""With what right AWS is called: Region, credentials and trust, out of AWS's own configuration."""

from __future__ import annotations

import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from reaper.aws.credentials import kept
from reaper.aws.transport.http import HttpClient
from reaper.aws.transport.signing import Signer
from reaper.aws.transport.trust import Trust, trust
from reaper.core.rows.endpoint import Endpoint

API_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="apigw-reaper",
)
"""For botocore's own clients, whose defaults wait for minutes."""


PATIENCE = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
"""For what is good to know, and not worth waiting for."""


class Access(NamedTuple):
    """What every client is made from."""

    session: boto3.Session
    region: str
    credentials: Credentials
    trust: Trust


def region_of(session: boto3.Session) -> str | None:
    """The configured Region: AWS_REGION as in AWS's other SDKs and on ECS, else as in boto3."""
    return os.environ.get("AWS_REGION") or session.region_name


def endpoint_of(client: Any) -> Endpoint:
    """Where a service answers, by the rules of one of botocore's clients."""
    url = urlsplit(client.meta.endpoint_url)
    port = url.port or {"https": 443, "http": 80}[url.scheme]
    path = url.path.rstrip("/")
    return Endpoint(url.scheme, url.hostname or "", port, path, client.meta.region_name, None, None)


def http_client(
    known: Access, service: str, timeout_seconds: float, max_body_bytes: int
) -> HttpClient:
    """One that signs for a service, such as ``execute-api``; for one thread at a time."""
    signer = Signer(known.credentials, service)
    return HttpClient(signer, timeout_seconds, known.trust, max_body_bytes)


def access(session: boto3.Session, region: str) -> Access:
    """Raises NoCredentialsError when botocore's chain yields none, or TrustStoreError.

    From here on every client that the session makes uses these credentials.
    """
    trusted = trust(session)
    session._session.set_default_client_config(API_CONFIG)  # of STS too, which is asked for roles
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    ours = kept(credentials)
    session._session._credentials = ours  # type: ignore[attr-defined]
    return Access(session, region, ours, trusted)
