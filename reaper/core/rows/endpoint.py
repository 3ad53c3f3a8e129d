"""From a URL, or from what a row holds, to the endpoint of a WebSocket API stage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from reaper.core.rows.items import AttributeValue

_EXECUTE_API = re.compile(
    r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
)
_LOCAL_PATH = re.compile(r"/_aws/execute-api/(?P<api>[^/]+)/(?P<stage>[^/]+)")
_URL_PATH = re.compile(r"[A-Za-z0-9/._~$@%-]*")
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class Endpoint(NamedTuple):
    """Where the management API of one WebSocket API stage answers."""

    scheme: str
    host: str
    port: int
    path: str
    """What precedes ``/@connections``: ``/prod``; empty for a bare custom domain."""
    region: str
    api_id: str | None
    """None behind a custom domain, whose name does not tell."""
    stage: str | None

    @property
    def is_execute_api(self) -> bool:
        """Whether the host is API Gateway's own, and no custom domain or stand-in."""
        return self.api_id is not None and self.host.startswith(f"{self.api_id}.execute-api.")

    @property
    def authority(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own."""
        standard = {"https": 443, "http": 80}[self.scheme]
        host = bracketed(self.host)
        return host if self.port == standard else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def bracketed(host: str) -> str:
    """As it stands before a port: IPv6 addresses hold colons of their own."""
    return f"[{host}]" if ":" in host else host


def parse_endpoint(text: str, region: str | None) -> Endpoint:
    """Read an endpoint URL; ``wss://`` is what clients connect to and means ``https://``.

    ``region`` signs the requests where the host does not name one. Raises ValueError whose
    message says what to write instead.
    """
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError as error:
        raise ValueError(f"is not a URL ({error})") from None
    scheme = _SCHEMES.get(url.scheme.lower())
    if scheme is None or not url.hostname:
        raise ValueError(
            "must look like https://{api}.execute-api.{region}.amazonaws.com/{stage}"
            " (the wss:// form that clients use is fine too)"
        )
    if url.username or url.query or url.fragment:
        raise ValueError("must hold neither credentials, nor a query, nor a fragment")
    if not _URL_PATH.fullmatch(url.path):
        raise ValueError("must have a path of plain URL characters")
    path = url.path.rstrip("/").removesuffix("/@connections").rstrip("/")
    host = url.hostname
    if aws := _EXECUTE_API.fullmatch(host):
        if path.count("/") != 1:
            raise ValueError(f"must end in the stage, as in https://{host}/prod")
        if scheme != "https":
            raise ValueError("must use https:// (or wss://): API Gateway speaks nothing else")
        return Endpoint(scheme, host, port or 443, path, aws["region"], aws["api"], path[1:])
    if scheme == "http" and not _is_local(host):
        raise ValueError("must use https:// (or wss://): plain HTTP is for this machine only")
    if not region:
        raise ValueError("names no Region to sign for: set AWS_REGION")
    local = _LOCAL_PATH.fullmatch(path)
    return Endpoint(
        scheme,
        host,
        port or (443 if scheme == "https" else 80),
        path,
        region,
        local["api"] if local else None,
        local["stage"] if local else None,
    )


MAX_KNOWN_TEXTS = 1024
"""Rows of one table name few endpoints, unless they name a URL of their own each."""


def _is_local(host: str) -> bool:
    """This machine, or a name without a domain, as containers have."""
    return "." not in host or host.startswith("127.")


class EndpointResolver:
    """Which endpoint a row belongs to.

    A row is data, not configuration: it may only name an execute-api host of our own Region,
    the host of the configured endpoint, or a host that the operator allowed. Any other row is
    foreign, and no signed request ever goes where it points.
    """

    def __init__(
        self,
        configured: Endpoint | None,
        region: str | None,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        self._configured = configured
        self._region = region
        self._allowed = {host.lower() for host in allowed_hosts}
        self._resolve_once = lru_cache(MAX_KNOWN_TEXTS)(self._resolve)

    def of_row(self, values: Sequence[AttributeValue | None]) -> Endpoint | None:
        """The endpoint that these attribute values name, or the configured one if none do.

        None means foreign. ``values`` is a URL, a ``domain/stage``, a map that holds
        ``domainName`` and ``stage``, or two values that do.
        """
        if all(value is None for value in values):
            return self._configured
        return self._resolve_once(_endpoint_text(values))

    def _resolve(self, text: str) -> Endpoint | None:
        url = text if "://" in text else f"{self._scheme_of(text.split('/')[0])}://{text}"
        try:
            endpoint = parse_endpoint(url, self._region)
        except ValueError:
            return None
        return endpoint if self._may_sign_for(endpoint) else None

    def _scheme_of(self, authority: str) -> str:
        """Domain names on rows carry no scheme; only our own configured host may be plain HTTP."""
        configured = self._configured
        return configured.scheme if configured and authority == configured.authority else "https"

    def _may_sign_for(self, endpoint: Endpoint) -> bool:
        if _EXECUTE_API.fullmatch(endpoint.host):
            return endpoint.region == self._region
        if self._configured and endpoint[:3] == self._configured[:3]:
            return True
        return endpoint.host in self._allowed and endpoint.scheme == "https"


def _endpoint_text(values: Sequence[AttributeValue | None]) -> str:
    """What the values spell; empty, which is no endpoint, where they are not all text."""
    if len(values) == 1 and values[0] is not None and "M" in values[0]:
        held = values[0]["M"]
        values = [held.get("domainName"), held.get("stage")]
    parts = [value.get("S") if value is not None else None for value in values]
    if not all(isinstance(part, str) and part for part in parts):
        return ""
    return "/".join(str(part).strip("/") for part in parts)
