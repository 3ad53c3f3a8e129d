"""From what a row says of its endpoint to that endpoint, or to why the row is foreign.

A row is data, not configuration: it may only name an execute-api host of our own Region, the host
of the configured endpoint, or a host that the operator allowed. No signed request goes elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from reaper.core.rows.endpoint import Endpoint, execute_api_host, parse_endpoint
from reaper.core.rows.items import AttributeValue

MAX_KNOWN_TEXTS = 1024
"""Rows of one table name few endpoints, unless they name a URL of their own each."""

_API_ID = re.compile(r"[a-z0-9]{10}")


class Foreign(ValueError):
    """A row belongs to an endpoint that this reaper does not serve. The message says why."""


class EndpointResolver:
    """Which endpoint a row belongs to."""

    def __init__(
        self,
        configured: Endpoint | None,
        region: str | None,
        allowed_hosts: Mapping[str, Endpoint | None] = MappingProxyType({}),
    ) -> None:
        """``allowed_hosts`` may say at which endpoint rows that name a host are asked after."""
        self._configured = configured
        self._region = region
        self._allowed = {host.lower(): endpoint for host, endpoint in allowed_hosts.items()}
        self._resolve_once = lru_cache(MAX_KNOWN_TEXTS)(self._resolve)

    def of_row(self, values: Sequence[AttributeValue | None]) -> Endpoint | None:
        """The endpoint that these attribute values name, or the configured one if none do.

        None means foreign. ``values`` is a URL, ``domain/stage``, a domain or the id of an API
        alone, a map that holds ``domainName`` and ``stage``, or two values that do.
        """
        if all(value is None for value in values):
            return self._configured
        found = self._resolve_once(*_named(values))
        return found if isinstance(found, Endpoint) else None

    def why_foreign(self, values: Sequence[AttributeValue | None]) -> str | None:
        """With the cure; None where the row is not foreign."""
        if all(value is None for value in values):
            return None if self._configured else "no endpoint, and REAPER_API_ENDPOINT is not set"
        found = self._resolve_once(*_named(values))
        return None if isinstance(found, Endpoint) else str(found)

    def _resolve(self, name: str, stage: str | None) -> Endpoint | Foreign:
        try:
            if not name:
                raise Foreign("none that can be read")
            if "://" in name:
                return self._of_url(f"{name}/{stage}" if stage else name)
            domain, _, path = name.partition("/")
            if self._is_own(domain, path, stage):
                assert self._configured is not None
                return self._configured
            return self._of_url(self._url(domain, stage or path))
        except Foreign as why:
            return why

    def _is_own(self, domain: str, path: str, stage: str | None) -> bool:
        """Behind a custom domain a stage is no part of the path: what is configured holds."""
        own = self._configured
        if own is None or own.is_execute_api or domain.lower() != own.authority:
            return False
        return stage is not None or not own.path or path in ("", own.path[1:], own.stage)

    def _url(self, domain: str, stage: str) -> str:
        """Of a domain, or the id of an API, in its stage: the configured one where it has none."""
        own = self._configured
        own_stage = (own.stage if own else None) or ""
        if own and own.is_stand_in and (domain == own.api_id or _API_ID.fullmatch(domain)):
            path = f"/_aws/execute-api/{domain}/{stage or own_stage}"
            return f"{own.scheme}://{own.authority}{path}"
        if self._region and _API_ID.fullmatch(domain):
            domain = execute_api_host(domain, self._region)
        if ".execute-api." in domain:
            stage = stage or own_stage
            if not stage:
                raise Foreign(
                    f"{domain} without a stage: set REAPER_API_ENDPOINT, whose stage then holds"
                )
        scheme = own.scheme if own and domain == own.authority else "https"
        return f"{scheme}://{domain}/{stage}"

    def _of_url(self, url: str) -> Endpoint:
        try:
            endpoint = parse_endpoint(url, self._region)
        except ValueError as error:
            raise Foreign(f"{url[:100]!r}, which {error}") from None
        alias = self._allowed.get(endpoint.host)
        if alias is not None:
            return alias
        self._must_serve(endpoint)
        return endpoint

    def _must_serve(self, endpoint: Endpoint) -> None:
        """Raises Foreign where no signed request may go there."""
        own = self._configured
        if endpoint.is_execute_api:
            if endpoint.region != self._region:
                raise Foreign(
                    f"{endpoint.host}, of Region {endpoint.region}: this is a reaper of"
                    f" {self._region}, and each Region needs its own"
                )
            return
        if own and endpoint[:3] == own[:3]:
            return
        if endpoint.host in self._allowed and endpoint.scheme == "https":
            return
        raise Foreign(
            f"{endpoint.host}: if it is yours, set REAPER_ALLOWED_ENDPOINT_HOSTS={endpoint.host}"
        )


def _named(values: Sequence[AttributeValue | None]) -> tuple[str, str | None]:
    """A URL or domain, and its stage where that is held apart; two empty texts for neither."""
    held = values[0]
    if len(values) == 1:
        if held is None or "M" not in held:
            return _text(held), None
        values = [held["M"].get("domainName") or held["M"].get("apiId"), held["M"].get("stage")]
    parts = [_text(value) for value in values]
    return (parts[0].strip("/"), parts[1].strip("/")) if all(parts) else ("", "")


def _text(value: AttributeValue | None) -> str:
    text = (value or {}).get("S")
    return text.strip() if isinstance(text, str) else ""
