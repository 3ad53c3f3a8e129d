"""From a URL to the endpoint of a WebSocket API stage."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from reaper.core.aws_partitions import PARTITIONS, partition_of

_DOMAINS = {domain for one in PARTITIONS for domain in (one.domain, one.dual_stack_domain)}
_EXECUTE_API = re.compile(
    r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\."
    rf"(?:{'|'.join(map(re.escape, sorted(_DOMAINS)))})"
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
    def is_stand_in(self) -> bool:
        """Whether the path tells the API, as with servers that stand in for AWS."""
        return self.api_id is not None and not self.is_execute_api

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
    path = url.path.partition("/@connections")[0].rstrip("/")
    if not _URL_PATH.fullmatch(path):
        raise ValueError("must have a path of plain URL characters")
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


def _is_local(host: str) -> bool:
    """This machine, or a name without a domain, as containers have."""
    return "." not in host or host.startswith("127.")


def execute_api_host(api_id: str, region: str) -> str:
    """Where an API answers under API Gateway's own name."""
    return f"{api_id}.execute-api.{region}.{partition_of(region).domain}"
