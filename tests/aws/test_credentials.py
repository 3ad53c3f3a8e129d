"""Credentials of a role, over a real endpoint: nobody waits for a refresh, and faults are told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from reaper.aws import credentials as credentials_module
from reaper.aws.credentials import KeptCredentials, kept
from reaper.aws.session import access
from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway


def a_role(seconds: float, key: str = "ASIAFIRST"):
    """An answer as ECS gives it, with credentials for so long."""

    def behave(handler) -> None:
        expiry = datetime.now(UTC) + timedelta(seconds=seconds)
        told = {
            "AccessKeyId": key,
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        faults.answers(200, told)(handler)

    return behave


@pytest.fixture
def role(monkeypatch):
    """Credentials from an endpoint that behaves so, request by request."""
    servers = []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0.01)

    def of(*behaviours):
        server = FaultyGateway({"role": list(behaviours)})
        server.__enter__()
        servers.append(server)
        monkeypatch.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.port}/role"
        )
        return access(boto3.Session(region_name="eu-west-1"), "eu-west-1").credentials

    yield of
    for server in servers:
        server.__exit__()


def in_time(credentials, seconds: float = 1.5) -> str:
    """The key in hand, which nobody has waited for: an endpoint that hangs is given two seconds."""
    started = time.monotonic()
    key = credentials.get_frozen_credentials().access_key
    assert time.monotonic() - started < seconds
    return key


def test_a_new_key_is_used_when_the_old_one_nears_its_end(role):
    credentials = role(a_role(2), a_role(3600, "ASIASECOND"))
    assert credentials.get_frozen_credentials().access_key.startswith("ASIA")
    give_up_at = time.monotonic() + 5
    while in_time(credentials) != "ASIASECOND":
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_while_the_endpoint_hangs_the_key_in_hand_is_used_and_nobody_waits(role):
    credentials = role(a_role(500), faults.hangs)
    assert credentials.get_frozen_credentials().access_key == "ASIAFIRST"
    time.sleep(credentials_module.MIN_LOOK_SECONDS)
    for _ in range(10):
        assert in_time(credentials) == "ASIAFIRST"


def test_a_key_that_could_not_be_renewed_is_told_with_the_reason(role, monkeypatch):
    monkeypatch.setattr(credentials_module, "LOOK_SECONDS", 0.5)
    credentials = role(a_role(2), faults.broken)
    credentials.get_frozen_credentials()
    time.sleep(2.5)
    with pytest.raises(CredentialRetrievalError, match=r"container-role.*Internal server error"):
        in_time(credentials)


def test_an_endpoint_that_never_answers_is_told_by_name_within_a_minute(monkeypatch):
    assert credentials_module.FIRST_WAIT_SECONDS < 60
    monkeypatch.setattr(credentials_module, "FIRST_WAIT_SECONDS", 0.3)

    hanging = DeferredRefreshableCredentials(lambda: time.sleep(5), "assume-role")
    credentials = KeptCredentials(hanging)
    with pytest.raises(CredentialRetrievalError, match=r"assume-role.*no answer within 0.3 s"):
        in_time(credentials)
    monkeypatch.setattr(credentials_module, "FIRST_WAIT_SECONDS", 30)
    with pytest.raises(CredentialRetrievalError, match=r"assume-role.*no answer within"):
        in_time(credentials)


def test_keys_that_do_not_end_are_left_as_they_are():
    credentials = boto3.Session("AKID", "secret", region_name="eu-west-1").get_credentials()
    assert kept(credentials) is credentials


def test_every_client_of_the_session_uses_them(role):
    kept_ones = role(a_role(3600))
    assert isinstance(kept_ones, KeptCredentials)
    session = boto3.Session(region_name="eu-west-1")
    known = access(session, "eu-west-1")
    client = known.session.client("sqs")
    assert client._request_signer._credentials is known.credentials
