"""Endpoints: what operators write."""

from __future__ import annotations

import botocore.session
import pytest

from reaper.core.aws_partitions import PARTITIONS, partition_of
from reaper.core.rows.endpoint import parse_endpoint

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
        f"https://{HOST}/prod/@connections/R0oXAdfD0kwCH6w=",
        f"https://{HOST}/prod/@connections/{{connection_id}}",
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


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "api.aws"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
    ],
)
def test_every_partition_has_its_execute_api(region, domain):
    endpoint = parse_endpoint(f"https://abc123.execute-api.{region}.{domain}/prod", None)
    assert (endpoint.is_execute_api, endpoint.region) == (True, region)


def test_partitions_are_those_that_botocore_knows():
    known = botocore.session.Session().get_component("data_loader").load_data("partitions")
    by_name = {one.name: one for one in PARTITIONS}
    assert set(by_name) == {one["id"] for one in known["partitions"]}
    for one in known["partitions"]:
        own, domains = by_name[one["id"]], one["outputs"]
        assert own.domain == domains["dnsSuffix"]
        assert own.dual_stack_domain == domains["dualStackDnsSuffix"]
        for region in one["regions"]:
            if "global" not in region:
                assert partition_of(region) == own
