"""Requests are signed as botocore signs them, for whatever people store as a connection id."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from reaper.aws.gateway import connection_path
from reaper.aws.transport.signing import Signer
from reaper.core.rows.endpoint import Endpoint

connection_ids = st.one_of(
    st.from_regex(r"[A-Za-z0-9+/_-]{8,20}={0,2}", fullmatch=True),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40),
).filter(lambda text: text not in (".", ".."))
stages = st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True) | st.sampled_from(
    ["a/b", "a//b", "a/./b", ".well-known/b", "a~b", "a%20b"]
)
tokens = st.none() | st.from_regex(r"[A-Za-z0-9+/=]{40,80}", fullmatch=True)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


def signed_by_us(endpoint: Endpoint, method: str, path: str, body: bytes, moment, credentials):
    signer = Signer(credentials, "execute-api")
    return lines(signer.sign(endpoint, method, path, body, moment.timestamp()))


def lines(headers: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in headers.removesuffix("\r\n").split("\r\n"))


def signed_by_botocore(endpoint: Endpoint, method, path, body, moment, credentials):
    headers = {"Host": endpoint.authority}
    request = AWSRequest(method, f"https://{endpoint.authority}{path}", headers, body or None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(credentials, "execute-api", endpoint.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    connection_id=connection_ids,
    stage=stages,
    custom_domain=st.booleans(),
    token=tokens,
    body=st.binary(max_size=64),
    moment=moments,
)
def test_the_signature_equals_botocores(connection_id, stage, custom_domain, token, body, moment):
    host = "ws.example.com" if custom_domain else "abc123.execute-api.eu-west-1.amazonaws.com"
    base = "" if custom_domain else f"/{stage}"
    endpoint = Endpoint("https", host, 443, base, "eu-west-1", None, None)
    method = "POST" if body else "GET"
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    path = connection_path(endpoint.path, connection_id)

    ours = signed_by_us(endpoint, method, path, body, moment, credentials)
    theirs = signed_by_botocore(endpoint, method, path, body, moment, credentials)

    assert ours["authorization"] == theirs["authorization"]
    assert ours.get("x-amz-security-token") == theirs.get("x-amz-security-token")
    assert ours.get("content-length") == (str(len(body)) if body else None)


def test_changed_credentials_are_used_within_a_second():
    class Rotating:
        keys = iter(("FIRST", "SECOND"))

        def get_frozen_credentials(self):
            return Credentials(next(self.keys), "secret").get_frozen_credentials()

    endpoint = Endpoint("https", "a.execute-api.eu-west-1.amazonaws.com", 443, "/p", "x", "a", "p")
    signer = Signer(Rotating(), "execute-api")
    used = []
    for now in (1_700_000_000.2, 1_700_000_000.9, 1_700_000_001.0):
        headers = lines(signer.sign(endpoint, "GET", "/p", b"", now))
        used.append(headers["authorization"].split("Credential=")[1].split("/")[0])

    assert used == ["FIRST", "FIRST", "SECOND"]


def test_an_id_is_percent_encoded_exactly_once():
    assert connection_path("/prod", "R0oXAdfD0kwCH6w=") == "/prod/@connections/R0oXAdfD0kwCH6w%3D"
    assert connection_path("", "a/b+c%3D") == "/@connections/a%2Fb%2Bc%253D"
