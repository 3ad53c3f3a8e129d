"""Where rows name the endpoint that they connected to."""

from __future__ import annotations

import pytest

from reaper.core.discovery.endpoints import endpoint_attribute
from reaper.core.rows.endpoint import parse_endpoint
from tests.support.tables import item

OURS = "abc123.execute-api.eu-west-1.amazonaws.com"
OTHER = "xyz789.execute-api.eu-west-1.amazonaws.com"
FAR = "xyz789.execute-api.us-east-1.amazonaws.com"
OWN = parse_endpoint(f"https://{OURS}/prod", None)


def found(rows, own=OWN):
    items = [item(row) for row in rows]
    setting, proposals = endpoint_attribute(items, range(len(items)), "id", own, "eu-west-1")
    return setting, {one.variable: one.value for one in proposals if one.variable}


@pytest.mark.parametrize(
    ("row", "setting"),
    [
        (lambda host: {"endpoint": f"https://{host}/prod"}, "endpoint"),
        (lambda host: {"callbackUrl": f"wss://{host}/prod"}, "callbackUrl"),
        (lambda host: {"domainName": host, "stage": "prod"}, "domainName,stage"),
        (lambda host: {"ctx": {"domainName": host, "stage": "prod", "apiId": "a"}}, "ctx"),
        (lambda host: {"ws": {"domain": host, "stage": "prod"}}, "ws.domain,ws.stage"),
    ],
)
def test_whatever_form_it_has(row, setting):
    assert found([row(OURS), row(OTHER)])[0] == setting
    assert found([row(OURS), row(FAR)])[0] == setting
    assert found([row(OTHER)], own=None)[0] == setting


def test_it_is_not_needed_where_all_rows_name_the_one_that_is_set():
    assert found([{"endpoint": f"https://{OURS}/prod"}]) == ("", {})


def test_a_host_that_is_not_api_gateways_is_for_the_operator_to_decide_about():
    rows = [
        {"domainName": "ws.example.com", "stage": "prod"},
        {"domainName": OURS, "stage": "prod"},
    ]
    _, settings = found(rows)
    assert settings["ALLOWED_ENDPOINT_HOSTS"] == "ws.example.com"


@pytest.mark.parametrize("row", [{"host": "web-7"}, {"avatarUrl": "not a url"}, {"name": "x"}])
def test_what_is_no_endpoint_is_none(row):
    assert found([row])[0] == ""
