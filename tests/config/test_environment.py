"""Settings: defaults, what follows from them, and what is warned of."""

from __future__ import annotations

import re

import pytest

from reaper.config.aws_variables import aws_faults, tidy_aws_variables
from reaper.config.environment import SettingsError, load_settings
from reaper.config.rules import budget_rps, fresh_seconds
from reaper.config.warnings import schedule_warnings, unknown_variables
from reaper.core.triage import HeartbeatMode

ENDPOINT = "wss://abc123.execute-api.eu-west-1.amazonaws.com/prod"


@pytest.fixture
def load(monkeypatch):
    def with_variables(**values: str):
        monkeypatch.setenv("REAPER_TABLE_NAME", "connections")
        monkeypatch.setenv("REAPER_API_ENDPOINT", ENDPOINT)
        for name, value in values.items():
            monkeypatch.setenv(f"REAPER_{name}", value)
        return load_settings("eu-west-1")

    return with_variables


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SWEEP_INTERVAL_SECONDS": "60"}, []),
        ({}, ["no effect on clients that are silent"]),
        ({"MAX_HEARTBEAT_INTERVAL_SECONDS": "900"}, ["closes idle sockets"]),
        ({"MAX_HEARTBEAT_INTERVAL_SECONDS": "480"}, ["no room above"]),
    ],
)
def test_what_a_limit_on_the_ratio_cannot_do_is_said(load, given, said):
    found = list(schedule_warnings(load(MAX_HEARTBEAT_RATIO="0.5", **given)))
    assert len(found) == len(said)
    assert all(words in warning for words, warning in zip(said, found, strict=True))


def test_table_and_endpoint_suffice(load):
    settings = load()

    assert settings.table_name == "connections"
    assert settings.heartbeat_mode is HeartbeatMode.IDLE
    assert settings.heartbeat_payload == b'{"type":"ping"}'
    assert settings.http_bind == ("127.0.0.1", 9464)
    assert settings.max_in_flight is None
    assert settings.dry_run is False


@pytest.mark.parametrize(
    ("variables", "fresh"),
    [
        ({}, 180),
        ({"HEARTBEAT_MODE": "off"}, 300),
        ({"HEARTBEAT_MODE": "off", "SWEEP_INTERVAL_SECONDS": "60"}, 60),
        ({"SWEEP_INTERVAL_SECONDS": "500"}, 0),
        ({"FRESH_SECONDS": "7"}, 7),
        ({"FRESH_SECONDS": "0"}, 0),
    ],
)
def test_fresh_follows_from_the_intervals(load, variables, fresh):
    assert fresh_seconds(load(**variables)) == fresh


@pytest.mark.parametrize(
    ("region", "variables", "budget"),
    [
        ("eu-west-1", {}, 1000),
        ("eu-south-2", {}, 250),
        ("eu-south-2", {"QUOTA_RPS": "20000", "QUOTA_SHARE": "0.5"}, 10_000),
    ],
)
def test_the_budget_is_a_share_of_the_regions_quota(load, region, variables, budget):
    assert budget_rps(load(**variables), region) == budget


def test_an_empty_value_stands_for_the_default_except_where_it_switches_off(load):
    settings = load(SWEEP_INTERVAL_SECONDS="", HTTP_BIND="", TABLE_INDEX=" ")

    assert settings.sweep_interval_seconds == 300
    assert settings.http_bind is None
    assert settings.table_index is None


def test_rows_may_carry_the_endpoint_instead(monkeypatch):
    monkeypatch.setenv("REAPER_TABLE_NAME", "connections")
    with pytest.raises(SettingsError) as refused:
        load_settings("eu-west-1")
    assert "REAPER_ENDPOINT_ATTRIBUTE" in refused.value.faults["REAPER_API_ENDPOINT"][0]

    monkeypatch.setenv("REAPER_ENDPOINT_ATTRIBUTE", "requestContext.domainName, stage")
    settings = load_settings("eu-west-1")
    assert settings.endpoint_attribute == (("requestContext", "domainName"), ("stage",))


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e999", "", "ten"])
def test_a_quota_must_be_a_whole_number(load, value):
    if value == "":
        assert load(QUOTA_RPS=value).quota_rps is None
        return
    with pytest.raises(SettingsError, match="REAPER_QUOTA_RPS"):
        load(QUOTA_RPS=value)


def test_a_heartbeat_interval_beyond_the_idle_timeout_is_fine_without_heartbeats(load):
    assert load(HEARTBEAT_MODE="off", HEARTBEAT_INTERVAL_SECONDS="900")


MANY = {"CONNECTION_ID_ATTRIBUTE": "a[].id"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"EVICT_ACTION": "hook"}, "EVICT_ACTION is hook, but there is none"),
        ({"EVICT_ACTION": "clear", "EVICT_SCOPE": "partition"}, "EVICT_SCOPE is partition"),
        ({"PONG_TIMEOUT_SECONDS": "10", "HEARTBEAT_MODE": "off"}, "PONG_TIMEOUT_SECONDS expects"),
        ({"EVICT_REMOVE": "token"}, "EVICT_REMOVE is for rows that stay"),
        ({"CONNECTION_ID_ATTRIBUTE": "a[].b[]"}, "must name one collection at most"),
        ({"CONNECTED_AT_ATTRIBUTE": "a..b"}, "CONNECTED_AT_ATTRIBUTE must be an attribute name"),
        ({"ENDPOINT_ATTRIBUTE": "a..b"}, "ENDPOINT_ATTRIBUTE must be an attribute name"),
        ({"CONNECTED_AT_ATTRIBUTE": "a[].at"}, "CONNECTED_AT_ATTRIBUTE speaks of members that"),
        (
            {"CONNECTION_ID_ATTRIBUTE": "a[].id", "ROW_FILTER": "!b[].left"},
            "it is b[].left, and the ids are in a[].id",
        ),
        (MANY | {"PONG_TIMEOUT_SECONDS": "5"}, "PONG_TIMEOUT_SECONDS must be 0, as a[].id means"),
        (MANY | {"EVICT_SCOPE": "partition"}, "EVICT_SCOPE must be row, as a[].id means"),
        (
            MANY | {"EVICT_ACTION": "clear", "EVICT_REMOVE": "token"},
            "EVICT_ACTION must be delete or hook, as a[].id means",
        ),
        (
            {"CONNECTION_ID_ATTRIBUTE": "a{}", "ROW_FILTER": "!a.left"},
            "it is a.left, and the ids are in a{}",
        ),
        ({"EVICT_SET": '{"on": false}'}, "EVICT_SET is for rows that stay"),
        (
            {"EVICT_ACTION": "clear", "EVICT_REMOVE": "a.b", "EVICT_SET": '{"a": 1}'},
            "must not change what the id, or each other, change: a.b and a",
        ),
        ({"EVICT_ACTION": "clear", "EVICT_SET": "on"}, "EVICT_SET must be a JSON object"),
        ({"ENDPOINT_ATTRIBUTE": "a,b,c"}, "ENDPOINT_ATTRIBUTE must be one attribute, or two"),
        ({"ALLOWED_ENDPOINT_HOSTS": "https://x.y"}, "must be hosts, each host or host=URL"),
        ({"ALLOWED_ENDPOINT_HOSTS": "x.y=ftp://z"}, "ALLOWED_ENDPOINT_HOSTS says of x.y what must"),
        ({"SWEEP_INTERVAL_SECONDS": "never"}, "a number of seconds from 0.1 to 31,536,000"),
        ({"ROW_FILTER": "kind"}, "ROW_FILTER must be attribute=regex or !attribute"),
        ({"MAX_MISSED_PONGS": "0"}, "MAX_MISSED_PONGS must be"),
        ({"EVICT_ACTION": "archive"}, "must be one of delete, clear, hook"),
        ({"QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/q"}, "QUEUE_URL must be the URL of"),
        ({"QUEUE_URL": "reaper.fifo"}, "QUEUE_URL must be the URL of an SQS FIFO queue"),
    ],
)
def test_what_cannot_be_done_together_is_refused_by_name(load, settings, why):
    with pytest.raises(SettingsError, match=re.escape(why)):
        load(**settings)


def test_unknown_variables_are_warned_of(load):
    load(SWEEP_INTERVAL="3", XYZ="1", EVICT_SCOPE="row")
    first, second = unknown_variables()

    assert "did you mean REAPER_SWEEP_INTERVAL_SECONDS?" in first
    assert "REAPER_XYZ" in second
    assert "reaper env" in second


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 0),
        ({"SWEEP_INTERVAL_SECONDS": "320"}, 0),
        ({"SWEEP_INTERVAL_SECONDS": "330"}, 1),
        ({"SWEEP_INTERVAL_SECONDS": "330", "HEARTBEAT_MODE": "off"}, 0),
    ],
)
def test_intervals_that_cannot_keep_sockets_awake_are_warned_of(load, variables, count):
    found = list(schedule_warnings(load(**variables)))
    assert len(found) == count
    assert all("REAPER_SWEEP_INTERVAL_SECONDS" in warning for warning in found)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AWS_SESSION_TOKEN", "IQoJb3JpZ2lu\nX2VjEA", "a line break in the middle"),
        ("AWS_SECRET_ACCESS_KEY", "wJalr XUtnFEMI", "a line break in the middle"),
        ("AWS_ACCESS_KEY_ID", "AKID\tEXAMPLE", "a line break in the middle"),
        ("AWS_REGION", "eu-west-1\r\nx", "a line break in the middle"),
        ("AWS_PROFILE", "my\nprofile", "cannot be printed"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000", "must be a URL"),
    ],
)
def test_an_aws_variable_that_cannot_be_meant_so_is_refused_by_name(
    load, monkeypatch, name, value, told
):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load()
    assert told in "".join(raised.value.faults[name])
    if "URL" not in name:
        assert value not in str(raised.value)


def test_white_space_around_aws_variables_is_taken_off_and_empty_ones_are_not_set():
    environ = {
        "AWS_SESSION_TOKEN": " token\n",
        "AWS_PROFILE": "",
        "AWS_REGION": " \n",
        "AWS_CA_BUNDLE": "/etc/my certificates.pem ",
        "HOME": " /root ",
    }
    tidy_aws_variables(environ)
    assert environ == {
        "AWS_SESSION_TOKEN": "token",
        "AWS_CA_BUNDLE": "/etc/my certificates.pem",
        "HOME": " /root ",
    }
    assert not list(aws_faults(environ))
