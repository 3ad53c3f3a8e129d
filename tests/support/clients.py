"""HTTP clients as the program has them, with credentials of nobody."""

from __future__ import annotations

from typing import Any

from botocore.credentials import Credentials
from botocore.httpsession import get_cert_path

from reaper.aws.transport.http import HttpClient
from reaper.aws.transport.signing import Signer
from reaper.aws.transport.trust import Trust, trust_in


def a_client(
    service: str,
    *,
    timeout_seconds: float = 10.0,  # a busy machine may stand still for a second
    max_body_bytes: int = 65_536,
    trust: Trust | None = None,
    credentials: Any = None,
) -> HttpClient:
    """One that signs for a service; it trusts the usual authorities unless told otherwise."""
    signer = Signer(credentials or Credentials("AKID", "secret"), service)
    trust = trust or trust_in(get_cert_path(True))
    return HttpClient(signer, timeout_seconds, trust, max_body_bytes)
