"""Which proxy a request goes through, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as in botocore."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from botocore.utils import get_environ_proxies

from reaper.core.rows.endpoint import Endpoint

DEFAULT_PORT = 80
"""Of a proxy whose URL names none, as botocore has it."""


FORM = "http://proxy.example.com:3128"


class ProxyUnfit(Exception):
    """A proxy is set that cannot be used. The message names the variable and the cure."""

    def __init__(self, variable: str, why: str) -> None:
        self.variable = variable
        self.why = why
        super().__init__(f"proxy of {variable}: it {why}")


class Proxy(NamedTuple):
    host: str
    port: int
    authorization: str
    """The value of the Proxy-Authorization header; empty where no password is set."""
    variable: str
    """Where it was set, for a person."""

    def __str__(self) -> str:
        """Never with its password."""
        return f"{self.host}:{self.port} of {self.variable}"


def proxy_for(endpoint: Endpoint) -> Proxy | None:
    """None where requests go straight to the endpoint. Raises ProxyUnfit."""
    url = get_environ_proxies(str(endpoint)).get(endpoint.scheme)
    return _read(url, f"{endpoint.scheme.upper()}_PROXY") if url else None


def check_proxies() -> None:
    """Raises ProxyUnfit for any proxy that is set and could never be used."""
    proxies = getproxies()
    for scheme in ("https", "http"):
        if proxies.get(scheme):
            _read(proxies[scheme], f"{scheme.upper()}_PROXY")


def _read(text: str, variable: str) -> Proxy:
    url = urlsplit(text if "://" in text else f"http://{text.removeprefix('//')}")
    if url.scheme != "http":
        raise ProxyUnfit(
            variable, f"is a {url.scheme} proxy, which is not supported: name one by {FORM}"
        )
    try:
        port = url.port or DEFAULT_PORT
    except ValueError:
        raise ProxyUnfit(variable, f"has a port that is no number: {FORM} is its form") from None
    if not url.hostname:
        raise ProxyUnfit(variable, f"names no host: {FORM} is its form")
    authorization = ""
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = f"Basic {b64encode(pair.encode()).decode()}"
    return Proxy(url.hostname, port, authorization, variable)
