"""SigV4 by the Common Runtime, with credentials from botocore's chain."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from awscrt.auth import AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
from awscrt.http import HttpHeaders, HttpRequest
from botocore.credentials import Credentials

from reaper.core.model import Endpoint


class Signer:
    """Signs the requests to one service.

    botocore refreshes the credentials (task role, profile, SSO). They are looked at once a second,
    which is as fine as a signature's own time is: so all requests of a second share what a
    signature is made from.
    """

    def __init__(self, credentials: Credentials, service: str) -> None:
        """``service`` is the name that SigV4 knows it by, such as ``execute-api``."""
        self._credentials = credentials
        self._service = service
        self._second = 0
        self._configs: dict[str, AwsSigningConfig] = {}

    def sign(self, request: HttpRequest, region: str, now: float) -> None:
        """Add the signature's headers to ``request``; ``now`` is in epoch seconds.

        Raises BotoCoreError when the chain yields no credentials, AwsCrtError when the runtime
        cannot sign.
        """
        if int(now) != self._second:
            self._second = int(now)
            self._configs.clear()
        if region not in self._configs:
            self._configs[region] = self._config(region)
        aws_sign_request(request, self._configs[region]).result()

    def _config(self, region: str) -> AwsSigningConfig:
        frozen = self._credentials.get_frozen_credentials()
        return AwsSigningConfig(
            credentials_provider=AwsCredentialsProvider.new_static(
                frozen.access_key, frozen.secret_key, frozen.token
            ),
            region=region,
            service=self._service,
            date=datetime.fromtimestamp(self._second, UTC),
        )


def signable_request(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes,
    headers: Sequence[tuple[str, str]] = (),
) -> HttpRequest:
    """A request as it goes on the wire, less its signature. ``path`` is percent-encoded once."""
    all_headers = [("Host", endpoint.authority), *headers]
    if body:
        all_headers.append(("Content-Length", str(len(body))))
    return HttpRequest(method, path, HttpHeaders(all_headers), io.BytesIO(body) if body else None)
