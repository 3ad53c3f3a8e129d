"""What the tests of HTTP share: a client, and what comes of its requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from reaper.aws.transport.http import HttpClient, Response
from reaper.aws.transport.trust import Trust
from reaper.core.rows.endpoint import Endpoint
from tests.support.clients import a_client

TIMEOUT_SECONDS = 10.0
HASTY_SECONDS = 1.0
MAX_BODY_BYTES = 65_536

Make = Callable[..., HttpClient]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def make_client() -> Iterator[Make]:
    made: list[HttpClient] = []

    def make(trust: Trust | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> HttpClient:
        made.append(
            a_client(
                "execute-api",
                timeout_seconds=timeout_seconds,
                max_body_bytes=MAX_BODY_BYTES,
                trust=trust,
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Make) -> HttpClient:
    return make_client()


@pytest.fixture
def hasty(make_client: Make) -> HttpClient:
    """A client for those who are never answered."""
    return make_client(timeout_seconds=HASTY_SECONDS)


def at(port: int, scheme: str = "http", host: str = "127.0.0.1") -> Endpoint:
    return Endpoint(scheme, host, port, "/prod", "us-east-1", None, None)


def get(client: HttpClient, endpoint: Endpoint, body: bytes = b"", **how: int) -> Response:
    """What came of one request."""
    client.send(endpoint, "POST" if body else "GET", "/prod/x", body, None, **how)
    give_up_at = time.monotonic() + 2 * TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        responses = client.poll(0.2)
        if responses:
            (response,) = responses
            return response
    raise AssertionError("nothing came of a request")
