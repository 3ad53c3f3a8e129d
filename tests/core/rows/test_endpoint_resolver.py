"""Endpoints: what rows say, and where signed requests may go."""

from __future__ import annotations

import pytest

from reaper.core.rows.endpoint import parse_endpoint
from reaper.core.rows.endpoint_resolver import EndpointResolver

HOST = "abc123.execute-api.eu-west-1.amazonaws.com"
OURS = parse_endpoint(f"https://{HOST}/prod", None)


@pytest.fixture
def resolver():
    return EndpointResolver(OURS, "eu-west-1", {"ws.example.com": None})


OTHER = "xyz789.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "values",
    [
        [{"S": f"https://{OTHER}/prod"}],
        [{"S": f"{OTHER}/prod"}],
        [{"S": OTHER}, {"S": "prod"}],
        [{"M": {"domainName": {"S": OTHER}, "stage": {"S": "prod"}, "apiId": {"S": "xyz789"}}}],
    ],
)
def test_a_row_names_its_endpoint_in_any_of_four_forms(resolver, values):
    assert resolver.of_row(values) == parse_endpoint(f"https://{OTHER}/prod", None)


def test_a_row_that_names_none_belongs_to_the_configured_endpoint(resolver):
    assert resolver.of_row([None]) == OURS
    assert resolver.of_row([]) == OURS
    assert EndpointResolver(None, "eu-west-1").of_row([None]) is None


@pytest.mark.parametrize(
    "values",
    [
        [{"NULL": True}],
        [{"N": "5"}],
        [{"S": ""}],
        [{"L": []}],
        [{"M": {}}],
        [{"M": {"domainName": {"S": OTHER}}}],
        [{"S": OTHER}, None],
        [{"NULL": True}, {"NULL": True}],
    ],
)
def test_an_endpoint_that_cannot_be_read_is_not_ours(resolver, values):
    assert resolver.of_row(values) is None


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example.com/prod",
        "https://abc123.execute-api.us-east-1.amazonaws.com/prod",
        "https://abc123.execute-api.eu-west-1.amazonaws.com.evil.com/prod",
        "http://ws.example.com/prod",
        "http://169.254.169.254/latest",
        "https://evil.example.com#.execute-api.eu-west-1.amazonaws.com/prod",
        "not an endpoint at all",
        "javascript:alert(1)",
    ],
)
def test_a_row_cannot_send_signed_requests_elsewhere(resolver, text):
    assert resolver.of_row([{"S": text}]) is None


def test_a_row_may_name_a_host_that_the_operator_allowed(resolver):
    endpoint = resolver.of_row([{"S": "ws.example.com/chat"}])
    assert str(endpoint) == "https://ws.example.com/chat"


def test_the_china_partition_is_execute_api_too():
    host = "abc123.execute-api.cn-north-1.amazonaws.com.cn"
    resolver = EndpointResolver(None, "cn-north-1")
    assert resolver.of_row([{"S": f"{host}/prod"}]).host == host


def url_of(configured, *values, allowed=None):
    own = parse_endpoint(configured, "eu-west-1") if configured else None
    found = EndpointResolver(own, "eu-west-1", allowed or {}).of_row(values)
    return None if found is None else str(found)


BY_ID = "abcde12345.execute-api.eu-west-1.amazonaws.com"
STAND_IN = "http://127.0.0.1:4566/_aws/execute-api"


@pytest.mark.parametrize(
    ("configured", "values", "url"),
    [
        (f"https://{HOST}/prod", [{"S": OTHER}], f"https://{OTHER}/prod"),
        (f"https://{HOST}/prod", [{"S": "abcde12345"}], f"https://{BY_ID}/prod"),
        (None, [{"S": OTHER}], None),
        (f"{STAND_IN}/abc/prod", [{"S": "abc"}], f"{STAND_IN}/abc/prod"),
        (f"{STAND_IN}/abc/prod", [{"S": "abcde12345"}], f"{STAND_IN}/abcde12345/prod"),
        (f"{STAND_IN}/abc/prod", [{"S": "127.0.0.1:4566/prod"}], f"{STAND_IN}/abc/prod"),
        ("https://ws.example.com", [{"S": "ws.example.com"}], "https://ws.example.com"),
        ("https://ws.example.com", [{"S": "WS.example.com/prod"}], "https://ws.example.com"),
        (
            "https://ws.example.com/chat",
            [{"S": "ws.example.com"}, {"S": "prod"}],
            "https://ws.example.com/chat",
        ),
        (
            "https://ws.example.com/chat",
            [{"S": "https://ws.example.com/game"}],
            "https://ws.example.com/game",
        ),
        (
            "https://ws.example.com/chat",
            [{"S": "ws.example.com/game"}],
            "https://ws.example.com/game",
        ),
        (
            "https://ws.example.com",
            [{"M": {"domainName": {"S": "ws.example.com"}, "stage": {"S": "prod"}}}],
            "https://ws.example.com",
        ),
        (
            None,
            [{"M": {"apiId": {"S": "abcde12345"}, "stage": {"S": "dev"}}}],
            f"https://{BY_ID}/dev",
        ),
        (f"https://{HOST}/prod", [{"S": f"wss://{OTHER}"}, {"S": "dev"}], f"https://{OTHER}/dev"),
        (
            f"https://{HOST}/prod",
            [{"S": f"https://{OTHER}/dev/@connections/R0oXAdfD0kwCH6w="}],
            f"https://{OTHER}/dev",
        ),
    ],
)
def test_what_a_row_leaves_out_is_that_of_the_configured_endpoint(configured, values, url):
    assert url_of(configured, *values) == url


def test_rows_of_an_alias_are_asked_after_at_its_url():
    allowed = {"ws.example.com": OURS, "chat.example.com": None}
    for text in ("ws.example.com", "https://ws.example.com/any", "ws.example.com/prod"):
        assert url_of(None, {"S": text}, allowed=allowed) == str(OURS)
    assert url_of(None, {"S": "chat.example.com"}, allowed=allowed) == "https://chat.example.com"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"S": "abc123.execute-api.us-east-1.amazonaws.com/prod"}, "of Region us-east-1"),
        ({"S": "evil.example.com/prod"}, "REAPER_ALLOWED_ENDPOINT_HOSTS=evil.example.com"),
        ({"S": OTHER}, "without a stage: set REAPER_API_ENDPOINT"),
        ({"N": "5"}, "none that can be read"),
        ({"S": "http://ws.example.com/prod"}, "plain HTTP is for this machine only"),
    ],
)
def test_why_a_row_is_foreign_is_told_with_the_cure(value, why):
    resolver = EndpointResolver(None, "eu-west-1")
    assert why in resolver.why_foreign([value])
    assert resolver.of_row([value]) is None
