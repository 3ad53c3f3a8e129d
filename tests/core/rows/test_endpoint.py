"""Endpoints: what operators write, what rows say, and where signed requests may go."""

from __future__ import annotations

import pytest

from reaper.core.rows.endpoint import EndpointResolver, parse_endpoint

HOST = "abc123.execute-api.eu-west-1.amazonaws.com"
OURS = parse_endpoint(f"https://{HOST}/prod", None)


@pytest.mark.parametrize(
    "text",
    [
        f"https://{HOST}/prod",
        f"https://{HOST}/prod/",
        f"wss://{HOST}/prod",
        f" WSS://{HOST}/prod ",
        f"https://{HOST}/prod/@connections",
        f"https://{HOST}:443/prod",
    ],
)
def test_the_forms_of_one_endpoint_are_one(text):
    endpoint = parse_endpoint(text, None)

    assert endpoint == OURS
    assert str(endpoint) == f"https://{HOST}/prod"
    assert (endpoint.api_id, endpoint.stage, endpoint.region) == ("abc123", "prod", "eu-west-1")


def test_a_custom_domain_needs_no_stage_but_a_region():
    endpoint = parse_endpoint("wss://ws.example.com", "eu-west-1")
    assert (str(endpoint), endpoint.region) == ("https://ws.example.com", "eu-west-1")
    assert parse_endpoint("https://ws.example.com/chat", "eu-west-1").path == "/chat"
    with pytest.raises(ValueError, match="AWS_REGION"):
        parse_endpoint("wss://ws.example.com", None)


def test_the_stand_ins_path_form_tells_api_and_stage():
    endpoint = parse_endpoint("ws://127.0.0.1:4566/_aws/execute-api/abc123/prod", "us-east-1")

    assert str(endpoint) == "http://127.0.0.1:4566/_aws/execute-api/abc123/prod"
    assert (endpoint.api_id, endpoint.stage) == ("abc123", "prod")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("", "must look like"),
        ("abc123", "must look like"),
        ("ftp://example.com", "must look like"),
        (f"https://{HOST}", "stage"),
        (f"https://{HOST}/", "stage"),
        (f"https://{HOST}/prod/extra", "stage"),
        (f"http://{HOST}/prod", "https"),
        ("http://chat.example.com/prod", "this machine only"),
        ("ws://10.0.0.7/prod", "this machine only"),
        (f"https://user:pass@{HOST}/prod", "credentials"),
        (f"https://{HOST}/prod?x=1", "query"),
        ("https://[::1/prod", "URL"),
        (f"https://{HOST}:99999/prod", "URL"),
        (f"https://{HOST}/pr od", "plain URL characters"),
        (f"https://{HOST}/a\0b", "plain URL characters"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_with_the_cure(text, cure):
    with pytest.raises(ValueError, match=cure):
        parse_endpoint(text, "eu-west-1")


@pytest.fixture
def resolver():
    return EndpointResolver(OURS, "eu-west-1", ["ws.example.com"])


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
