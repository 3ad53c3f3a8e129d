"""Whom to trust and which proxy to use, read as botocore reads them."""

from __future__ import annotations

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
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from reaper.core.rows.endpoint import Endpoint


class TrustStoreError(Exception):
    """There are no trusted certificates to be had. The message names the variable."""


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
