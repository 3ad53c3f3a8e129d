"""Region, trust store and proxy: the one place where AWS's own configuration is read."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

import boto3
from awscrt.http import (
    HttpProxyAuthenticationType,
    HttpProxyConnectionType,
    HttpProxyOptions,
)
from botocore.config import Config
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from reaper.core.model import Endpoint

API_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="apigw-reaper",
)
"""For botocore's own clients, whose defaults wait for minutes."""


class TrustStoreError(Exception):
    """There are no trusted certificates to be had. The message names the variable."""


def region_of(session: boto3.Session) -> str | None:
    """The configured Region: AWS_REGION as in AWS's other SDKs and on ECS, else as in boto3."""
    return os.environ.get("AWS_REGION") or session.region_name


def ca_bundle(session: boto3.Session) -> str:
    """Path of the trusted certificates: AWS_CA_BUNDLE or ``ca_bundle``, else botocore's own.

    Raises TrustStoreError when it cannot be read.
    """
    configured = session._session.get_config_variable("ca_bundle")
    path = Path(str(configured or get_cert_path(True)))
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise TrustStoreError(
            f"AWS_CA_BUNDLE must be a file of certificates in PEM: {path}: {error}"
        ) from None
    return str(path)


def proxy_for(endpoint: Endpoint) -> HttpProxyOptions | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY ask for, as botocore reads them."""
    proxy = get_environ_proxies(str(endpoint)).get(endpoint.scheme)
    if not proxy:
        return None
    url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return HttpProxyOptions(
        host_name=url.hostname or "",
        port=url.port or 8080,
        auth_type=(
            HttpProxyAuthenticationType.Basic
            if url.username
            else HttpProxyAuthenticationType.Nothing
        ),
        auth_username=unquote(url.username) if url.username else None,
        auth_password=unquote(url.password) if url.password else None,
        connection_type=HttpProxyConnectionType.Tunneling,
    )


def tls_fault(endpoint: Endpoint, ca_file: str) -> str | None:
    """Why TLS to this endpoint fails, or None where it does not, or where that cannot be told.

    The Common Runtime keeps a failed handshake to itself for longer than any deadline of ours.
    """
    if endpoint.scheme != "https" or proxy_for(endpoint) is not None:
        return None
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=endpoint.host),
        ):
            return None
    except ssl.SSLError as error:
        return f"TLS fails: {error.reason} {getattr(error, 'verify_message', '')}".rstrip()
    except OSError:
        return None
