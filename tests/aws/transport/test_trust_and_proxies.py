"""Whom to trust and which proxy to use: as botocore decides it, and every fault by its name."""

from __future__ import annotations

import base64
import datetime as dt
import os
import shutil
from unittest import mock

import boto3
import pytest
from botocore.exceptions import InvalidConfigError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from reaper.aws.transport.proxies import ProxyUnfit, check_proxies, proxy_for
from reaper.aws.transport.trust import TrustStoreError, trust, trust_in
from tests.aws.transport.conftest import at, get
from tests.support.certificates import self_signed
from tests.support.raw_server import Peer, RawServer, as_proxy, hangs, says

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LET_THROUGH = b"HTTP/1.1 200 Connection established\r\n\r\n"


def over_tls(context, *parts: bytes):
    def script(peer: Peer) -> None:
        peer.secure(context)
        says(*parts)(peer)

    return script


# As botocore decides it

HOSTS = ["a.execute-api.eu-west-1.amazonaws.com", "localhost", "10.0.0.7", "ws.example.com"]
proxies = st.one_of(
    st.none(),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["http://", "", "//"]),
        st.sampled_from(["", "user@", "user:p%40ss@", "user:@"]),
        st.sampled_from(["proxy.local", "10.1.1.1"]),
        st.sampled_from(["", ":3128", ":80"]),
    ),
)
exceptions = st.lists(
    st.sampled_from([*HOSTS, ".amazonaws.com", "example.com", "*", "10.0.0.0/8", "10.0.0.7:443"]),
    max_size=3,
).map(",".join)


def environment(**variables: str | None):
    """Only these of the variables that matter here."""
    names = [name for name in os.environ if name.lower().endswith(("_proxy", "_ca_bundle"))]
    held = {name: value for name, value in os.environ.items() if name not in names}
    return mock.patch.dict(
        os.environ, held | {k: v for k, v in variables.items() if v is not None}, clear=True
    )


@given(
    https=proxies, http=proxies, no=exceptions, host=st.sampled_from(HOSTS),
    scheme=st.sampled_from(["https", "http"]), port=st.sampled_from([443, 80, 8443]),
    small=st.booleans(),
)  # fmt: skip
def test_the_proxy_is_the_one_that_botocore_takes(https, http, no, host, scheme, port, small):
    names = {"HTTPS_PROXY": https, "HTTP_PROXY": http, "NO_PROXY": no}
    variables = {(name.lower() if small else name): value for name, value in names.items()}
    endpoint = at(port, scheme, host)
    with environment(**variables):
        ours = proxy_for(endpoint)
        theirs = ProxyConfiguration(get_environ_proxies(str(endpoint)))
        url = theirs.proxy_url_for(str(endpoint))
        assert (ours is None) == (url is None)
        if ours is None:
            return
        parsed = parse_url(url)
        assert (ours.host, ours.port) == (parsed.host, parsed.port or 80)
        header = theirs.proxy_headers_for(url).get("Proxy-Authorization", "")
        assert ours.authorization == header or (not header and ours.authorization)


@given(
    aws=st.sampled_from([None, "", "/aws.pem"]), requests=st.sampled_from([None, "", "/req.pem"])
)
def test_the_trusted_file_is_the_one_that_botocore_takes(tmp_path_factory, aws, requests):
    directory = tmp_path_factory.mktemp("trust")
    for name in ("aws.pem", "req.pem"):
        shutil.copy(get_cert_path(True), directory / name)
    with environment(
        AWS_CA_BUNDLE=aws and f"{directory}{aws}",
        REQUESTS_CA_BUNDLE=requests and f"{directory}{requests}",
        AWS_EC2_METADATA_DISABLED="true",
    ):
        session = boto3.Session("AKID", "secret", region_name="eu-west-1")
        try:
            client = session.client("dynamodb")
        except InvalidConfigError:
            with pytest.raises(TrustStoreError, match="and it is empty"):
                trust(session)
            return
        theirs = get_cert_path(client._endpoint.http_session._verify)
        assert trust(session).ca_file == theirs


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("socks5://proxy.local:1080", "is a socks5 proxy, which is not supported"),
        ("socks5h://user:secret@proxy.local", "is a socks5h proxy, which is not supported"),
        ("https://proxy.local", "is a https proxy, which is not supported"),
        ("http://user:secret@proxy.local:port", "has a port that is no number"),
        ("http://", "names no host"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "HTTP_PROXY"])
def test_a_proxy_that_cannot_be_used_is_refused_by_name(client, monkeypatch, variable, url, told):
    monkeypatch.setenv(variable, url)
    scheme = variable.partition("_")[0].lower()
    with pytest.raises(ProxyUnfit, match=f"proxy of {variable}: .*{told}"):
        check_proxies()
    error = get(client, at(443, scheme, "some.example")).error
    assert error.startswith(f"proxy of {variable}: ")
    assert "secret" not in error


# A private authority, and what is wrong with certificates


def test_a_private_authority_is_trusted(make_client, tmp_path):
    certificate, context = self_signed(tmp_path, "localhost")
    with RawServer(over_tls(context, OK)) as server:
        client = make_client(trust_in(str(certificate)))
        assert get(client, at(server.port, "https", "localhost")).status == 200


def test_an_authority_that_nobody_trusts_is_told_with_the_file(client, tmp_path):
    _, context = self_signed(tmp_path, "localhost")
    with RawServer(over_tls(context, OK)) as server:
        response = get(client, at(server.port, "https", "localhost"))
    assert response.error == (
        "TLS fails: certificate verify failed: self-signed certificate (of localhost; trusted are"
        f" those in {get_cert_path(True)})"
    )


def test_a_certificate_of_another_name_is_refused(make_client, tmp_path):
    certificate, context = self_signed(tmp_path, "example.com")
    with RawServer(over_tls(context, OK)) as server:
        client = make_client(trust_in(str(certificate), "AWS_CA_BUNDLE"))
        response = get(client, at(server.port, "https", "localhost"))
    assert "certificate is not valid for 'localhost'" in response.error
    assert response.error.endswith(f"those in {certificate}, from AWS_CA_BUNDLE)")


def test_an_expired_certificate_is_refused(make_client, tmp_path):
    certificate, context = self_signed(tmp_path, "localhost", ends=dt.timedelta(hours=-1))
    with RawServer(over_tls(context, OK)) as server:
        client = make_client(trust_in(str(certificate)))
        response = get(client, at(server.port, "https", "localhost"))
    assert "certificate verify failed: certificate has expired" in response.error


def test_a_server_that_does_not_speak_tls_is_told(client):
    with RawServer(says(OK), says(OK)) as server:

        def speaks_at_once(peer: Peer) -> None:
            peer.say(OK)
            peer.hang()

        server._scripts[:] = [speaks_at_once]
        response = get(client, at(server.port, "https", "localhost"))
    assert response.error.startswith("TLS fails: ")
    assert response.error.endswith("(with localhost)")


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"\xff\xfe", None])
def test_a_damaged_bundle_is_named(tmp_path, content):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        with environment(**{variable: str(bundle)}), pytest.raises(TrustStoreError) as raised:
            trust(boto3.Session("AKID", "secret", region_name="eu-west-1"))
        assert str(raised.value).startswith(
            f"{variable} must be a file of certificates in PEM: {bundle}: "
        )


# Through a proxy


def test_tls_goes_through_a_proxy_that_is_told_the_password(make_client, monkeypatch, tmp_path):
    certificate, context = self_signed(tmp_path, "api.example")
    seen = []

    def proxy(peer: Peer) -> None:
        seen.append(peer.request())
        peer.say(LET_THROUGH)
        peer.secure(context)
        says(OK)(peer)

    with RawServer(proxy) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{server.port}")
        client = make_client(trust_in(str(certificate)))
        for _ in range(2):
            assert get(client, at(443, "https", "api.example")).status == 200
    password = base64.b64encode(b"user:p@ss").decode()
    assert [head.decode().split("\r\n") for head in seen] == [
        [
            "CONNECT api.example:443 HTTP/1.1",
            "Host: api.example:443",
            f"Proxy-Authorization: Basic {password}",
            "",
            "",
        ]
    ]


def test_plain_http_goes_through_a_proxy_that_is_told_where_to(client, monkeypatch):
    seen = []

    def proxy(peer: Peer) -> None:
        while head := peer.request():
            seen.append(head.decode())
            peer.say(OK)

    with RawServer(proxy) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{server.port}")
        assert get(client, at(8080, host="api.example")).status == 200
    assert seen[0].startswith("GET http://api.example:8080/prod/x HTTP/1.1\r\nhost: api.example")
    assert "proxy-authorization: Basic " in seen[0]


def test_hosts_of_no_proxy_are_spoken_to_directly(client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with RawServer(says(OK)) as server:
        assert get(client, at(server.port)).status == 200


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (as_proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n", None), "it refused: 403 Forbidden"),
        (
            as_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", None),
            "it wants another user or password: 407 Proxy Authentication Required",
        ),
        (as_proxy(b"", None), "it does not answer as a proxy does"),
        (as_proxy(b"SSH-2.0-OpenSSH\r\n\r\n", None), "it does not answer as a proxy does"),
        (as_proxy(b"HTTP/1.1 200 " + b"x" * 20_000, None), "it does not answer as a proxy does"),
    ],
)
def test_a_proxy_that_does_not_let_it_through_is_told(client, monkeypatch, script, told):
    with RawServer(script) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{server.port}")
        response = get(client, at(443, "https", "api.example"))
    assert response.error == (
        f"proxy 127.0.0.1:{server.port} of HTTPS_PROXY: {told}: correct HTTPS_PROXY, or name"
        " api.example in NO_PROXY"
    )


def test_a_dead_proxy_is_told(client, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@127.0.0.1:1")
    assert get(client, at(443, "https", "api.example")).error == (
        "proxy 127.0.0.1:1 of HTTPS_PROXY: cannot connect to 127.0.0.1:1: Connection refused:"
        " correct HTTPS_PROXY, or name api.example in NO_PROXY"
    )


def test_a_proxy_that_says_nothing_is_told(hasty, monkeypatch):
    with RawServer(hangs) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        response = get(hasty, at(443, "https", "api.example"))
    assert response.error == "no answer within 1 s: waited for the proxy to let it through"


def test_a_proxy_that_looks_into_tls_is_told_with_the_file(client, monkeypatch, tmp_path):
    """It shows a certificate of its own, which only its own authority vouches for."""
    _, context = self_signed(tmp_path, "api.example")
    with RawServer(as_proxy(LET_THROUGH, context, OK)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        response = get(client, at(443, "https", "api.example"))
    assert response.error.startswith("TLS fails: certificate verify failed: ")
    assert get_cert_path(True) in response.error
