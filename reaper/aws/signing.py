"""SigV4 for the management API, by the Common Runtime, with credentials from botocore's chain."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from awscrt.auth import AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
from awscrt.http import HttpHeaders, HttpRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from reaper.core.model import Endpoint

SERVICE = "execute-api"


class Signer:
    """SigV4 by the Common Runtime, with credentials from botocore's chain.

    botocore refreshes them (task role, profile, SSO); they are handed on whenever they change.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._frozen: ReadOnlyCredentials | None = None
        self._provider: AwsCredentialsProvider | None = None

    def sign(self, request: HttpRequest, region: str, moment: datetime | None = None) -> None:
        """Add the signature's headers to ``request``.

        Raises BotoCoreError when the chain yields no credentials, AwsCrtError when the runtime
        cannot sign.
        """
        config = AwsSigningConfig(
            credentials_provider=self._current_provider(),
            region=region,
            service=SERVICE,
            date=moment or datetime.now(UTC),
        )
        aws_sign_request(request, config).result()

    def _current_provider(self) -> AwsCredentialsProvider:
        frozen = self._credentials.get_frozen_credentials()
        if frozen != self._frozen or self._provider is None:
            self._frozen = frozen
            self._provider = AwsCredentialsProvider.new_static(
                frozen.access_key, frozen.secret_key, frozen.token
            )
        return self._provider


def signable_request(endpoint: Endpoint, method: str, path: str, body: bytes) -> HttpRequest:
    """A request as it goes on the wire, less its signature. ``path`` is percent-encoded once."""
    headers = [("Host", endpoint.authority)]
    if body:
        headers.append(("Content-Length", str(len(body))))
    return HttpRequest(method, path, HttpHeaders(headers), io.BytesIO(body) if body else None)
