"""HTTP over real sockets: every fault ends by its deadline and is told as what it is."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
import weakref
from contextlib import ExitStack, closing, contextmanager

import pytest

from reaper.aws.transport import connection as connection_module
from reaper.aws.transport import pool
from reaper.aws.transport import resolver as resolver_module
from reaper.aws.transport.trust import trust_in
from tests.aws.transport.conftest import HASTY_SECONDS, MAX_BODY_BYTES, TIMEOUT_SECONDS, at, get
from tests.support.certificates import self_signed
from tests.support.raw_server import Peer, RawServer, hangs, says, says_and_closes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
SLOW = "no answer within 1 s: waited for "


# Every phase that hangs


@contextmanager
def nobody_accepts():
    """A port where connecting hangs: its queue is full, and nobody looks into it."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_name_that_is_never_resolved(hasty, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", _hanging_lookup(released))
    try:
        response = get(hasty, at(80, host="slow.example"))
    finally:
        released.set()
    assert response.error == f"{SLOW}the name of the host to be resolved"


def _hanging_lookup(released: threading.Event):
    def look_up(*_, **__):
        released.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    return look_up


def test_a_host_that_does_not_accept(hasty):
    with nobody_accepts() as port:
        assert get(hasty, at(port)).error == f"{SLOW}the connection"


def test_a_server_that_does_not_begin_tls(hasty):
    with RawServer(hangs) as server:
        response = get(hasty, at(server.port, "https"))
    assert response.error == f"{SLOW}the TLS handshake"


def test_a_server_that_does_not_take_the_request(hasty):
    def reads_nothing(peer: Peer) -> None:
        peer._closing.wait(5)

    with RawServer(reads_nothing) as server:
        response = get(hasty, at(server.port), body=b"x" * 20_000_000)
    assert response.error == f"{SLOW}the request to be taken"


def test_a_server_that_does_not_answer(hasty):
    with RawServer(hangs) as server:
        response = get(hasty, at(server.port))
    assert response.error == f"{SLOW}the first byte of the answer"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_comes_in_drips(hasty, head):
    with RawServer(says(head, *[b"x: y\r\n"] * 100, pause=0.05)) as server:
        response = get(hasty, at(server.port))
    assert response.error == f"{SLOW}the rest of the answer"


def test_a_hung_request_holds_up_no_other(client):
    with RawServer(hangs) as stuck, RawServer(says(OK)) as server:
        client.send(at(stuck.port), "GET", "/", b"", "stuck")
        for n in range(10):
            client.send(at(server.port), "GET", "/", b"", n)
        tags: list[object] = []
        while len(tags) < 10:
            tags += [response.tag for response in client.poll(0.1)]
    assert "stuck" not in tags


# Answers of every form


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
    ],
)
@pytest.mark.parametrize("cut", [None, 1, 20])
def test_each_form_is_understood_whole_or_in_pieces(client, answer, cut):
    parts = [answer] if cut is None else [answer[n : n + cut] for n in range(0, len(answer), cut)]
    with RawServer(says_and_closes(*parts)) as server:
        for _ in range(2):
            response = get(client, at(server.port))
            assert (response.status, response.body, response.error) == (200, b"ok", "")
            time.sleep(0.05)
            client.poll(0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "closed before an answer began"),
        (b"HTTP/1.1 2", "closed in the middle of an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "closed in the middle of an answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
            "closed in the middle of an answer",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "it is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
            "it is not HTTP",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
            "it is not HTTP",
        ),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "protocol"),
        (
            f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
            "larger than 64 kB",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1),
            "larger than 64 kB",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1000\r\n" + b"x" * 4096 + b"\r\n" + 16 * (b"1000\r\n" + b"x" * 4096 + b"\r\n"),
            "larger than 64 kB",
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000 + b"\r\n",
            "headers are longer than 64 kB",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, "headers are longer than 64 kB"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_as_what_it_is(client, answer, told):
    with RawServer(says_and_closes(answer)) as server:
        response = get(client, at(server.port))
    assert response.status is None
    assert told in response.error
    assert response.body == b""


def test_a_reset_is_told_with_what_was_awaited(client):
    def resets(peer: Peer) -> None:
        peer.request()
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with RawServer(resets) as server:
        response = get(client, at(server.port))
    assert response.error == (
        "connection broke while waiting for the first byte of the answer: Connection reset by peer"
    )


def test_a_redirect_is_an_answer_and_is_not_followed(client):
    away = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with RawServer(says(away)) as server:
        assert get(client, at(server.port)).status == 302
        assert server.connections == 1


# Connections


def test_connections_are_kept_alive(client):
    with RawServer(says(OK)) as server:
        responses = [get(client, at(server.port)) for _ in range(5)]
        assert server.connections == 1
    assert {response.connection for response in responses} == {1}


@pytest.mark.parametrize(
    "stray", [OK, b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", b"more than it said"]
)
def test_what_comes_unasked_closes_the_connection(client, stray):
    """With the answer, or after it: it would be taken for the answer to the next request."""
    for pause in (0.0, 0.1):
        with RawServer(says(OK, stray, pause=pause), says(OK)) as server:
            assert get(client, at(server.port)).status == 200
            time.sleep(0.2)
            client.poll(0)
            again = get(client, at(server.port))
            assert (again.status, server.connections) == (200, 2)


def test_a_connection_that_ends_between_two_requests_is_opened_again(client):
    with RawServer(says_and_closes(OK)) as server:
        for _ in range(3):
            assert get(client, at(server.port)).status == 200
            time.sleep(0.05)
            client.poll(0)
        assert server.connections == 3


def test_a_request_that_a_stale_connection_lost_is_not_sent_again_here(client):
    """That is for those to decide who count requests."""
    requests = []

    def closes_at_the_second(peer: Peer) -> None:
        requests.append(peer.request())
        peer.say(OK)
        requests.append(peer.request())

    with RawServer(closes_at_the_second) as server:
        first, second = (get(client, at(server.port)) for _ in range(2))
    assert (first.status, second.status, second.was_stale) == (200, None, True)
    assert len(requests) == 2


def test_a_lost_request_of_a_new_connection_is_not_stale(client):
    with RawServer(says_and_closes()) as server:
        assert not get(client, at(server.port)).was_stale


# Names and addresses


def test_a_name_with_several_addresses_of_which_one_refuses(client, monkeypatch):
    with RawServer(says(OK)) as server:
        _resolve_to(monkeypatch, ("127.0.0.2", server.port), ("127.0.0.1", server.port))
        assert get(client, at(server.port, host="two.example")).status == 200


def test_a_name_with_several_addresses_of_which_one_is_dead(make_client, monkeypatch):
    """It gets its time once; from then on the other one is tried first."""
    monkeypatch.setattr(connection_module, "MIN_CONNECT_SECONDS", 0.3)
    client = make_client()
    with nobody_accepts() as dead, RawServer(says_and_closes(LAST)) as server:
        _resolve_to(monkeypatch, ("127.0.0.1", dead), ("127.0.0.1", server.port))
        assert get(client, at(80, host="two.example")).status == 200
        monkeypatch.setattr(connection_module, "MIN_CONNECT_SECONDS", TIMEOUT_SECONDS)
        assert get(client, at(80, host="two.example")).status == 200


def test_every_address_that_refuses_is_the_last_one_told(client, monkeypatch):
    _resolve_to(monkeypatch, ("127.0.0.2", 1), ("127.0.0.3", 1))
    response = get(client, at(443, host="two.example"))
    assert response.error == "cannot connect to two.example at 127.0.0.3:1: Connection refused"


def test_ipv6(client):
    with RawServer(says(OK), host="::1") as server:
        assert get(client, at(server.port, host="::1")).status == 200


def test_a_name_that_fails_and_comes_back(client, monkeypatch):
    monkeypatch.setattr(resolver_module, "FAULT_SECONDS", 0.1)
    with RawServer(says_and_closes(LAST)) as server:
        _fail_to_resolve(monkeypatch)
        response = get(client, at(server.port, host="some.example"))
        assert response.error == (
            "cannot resolve some.example: Temporary failure in name resolution"
        )
        time.sleep(0.15)
        _resolve_to(monkeypatch, ("127.0.0.1", server.port))
        assert get(client, at(server.port, host="some.example")).status == 200


def test_known_addresses_are_used_while_a_name_cannot_be_resolved(client, monkeypatch):
    monkeypatch.setattr(resolver_module, "KNOWN_SECONDS", 0.0)
    with RawServer(says_and_closes(LAST)) as server:
        _resolve_to(monkeypatch, ("127.0.0.1", server.port))
        assert get(client, at(server.port, host="some.example")).status == 200
        _fail_to_resolve(monkeypatch)
        for _ in range(3):
            assert get(client, at(server.port, host="some.example")).status == 200
            time.sleep(0.05)


def _resolve_to(monkeypatch, *addresses: tuple[str, int]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def _fail_to_resolve(monkeypatch) -> None:
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


# Its own bounds


def test_a_path_that_cannot_stand_in_a_request_is_refused_at_once(client):
    response = get(client, at(1)._replace(path="/not a path"))
    assert response.error.startswith("cannot send: ")


def test_nothing_is_left_open(make_client, tmp_path):
    certificate, context = self_signed(tmp_path, "localhost")

    def over_tls(peer: Peer) -> None:
        peer.secure(context)
        says(OK)(peer)

    def descriptors() -> int:
        import os

        return len(os.listdir("/proc/self/fd"))

    with RawServer(over_tls) as server, RawServer(hangs) as stuck:
        before = descriptors()
        client = make_client(trust_in(str(certificate)))
        with closing(client):
            assert get(client, at(server.port, "https", "localhost")).status == 200
            client.send(at(stuck.port), "GET", "/", b"", None)
            client.poll(0.05)
        time.sleep(0.1)
        assert descriptors() <= before + 1  # the servers' own ends may take a moment


class Tag:
    """What a request is marked with: for the gateway a probe with its rows."""


@pytest.mark.parametrize("script", [says(LAST), says_and_closes(), hangs])
def test_what_a_closed_connection_held_does_not_wait_for_the_garbage_collector(
    make_client, tmp_path, script
):
    """TLS takes some 40 kB of each, of which the collector knows nothing."""
    certificate, context = self_signed(tmp_path, "localhost")

    def over_tls(peer: Peer) -> None:
        peer.secure(context)
        script(peer)

    client, tag = make_client(trust_in(str(certificate)), HASTY_SECONDS), Tag()
    held = weakref.ref(tag)
    gc.collect()
    gc.disable()
    try:
        with RawServer(over_tls) as server:
            client.send(at(server.port, "https", "localhost"), "GET", "/", b"", tag)
            del tag
            assert len(client.poll(2 * TIMEOUT_SECONDS)) == 1
        assert held() is None
    finally:
        gc.enable()


def test_tls_that_ends_without_a_goodbye_does_not_complete_an_answer(make_client, tmp_path):
    """Whoever can cut a connection could shorten an answer that has no length."""
    certificate, context = self_signed(tmp_path, "localhost")

    def cuts(peer: Peer) -> None:
        peer.secure(context)
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nok")
        assert isinstance(peer.connection, ssl.SSLSocket)
        raw = peer.connection.detach()
        socket.close(raw)

    with RawServer(cuts) as server:
        client = make_client(trust_in(str(certificate)))
        response = get(client, at(server.port, "https", "localhost"))
    assert "in the middle of an answer" in response.error


def test_an_event_of_a_connection_that_was_closed_a_moment_ago_is_nothing(client, monkeypatch):
    """One answer may close another, idle connection, whose own end was seen in the same look."""
    with RawServer(says(OK), says_and_closes(OK)) as server:
        for n in range(2):
            client.send(at(server.port), "GET", "/", b"", n)
        answered: list[object] = []
        while len(answered) < 2:
            answered += client.poll(0.2)
        time.sleep(0.2)
        monkeypatch.setattr(pool, "MAX_IDLE_PER_ORIGIN", 1)
        client.send(at(server.port), "GET", "/", b"", "again")
        time.sleep(0.2)
        give_up_at = time.monotonic() + 5
        while client.in_flight and time.monotonic() < give_up_at:
            client.poll(0.2)
        assert client.in_flight == 0


def test_an_answer_that_is_only_slow_is_not_taken_for_a_stale_connections(hasty):
    def slow_at_the_second(peer: Peer) -> None:
        peer.request()
        peer.say(OK)
        peer.hang()

    with RawServer(slow_at_the_second) as server:
        assert get(hasty, at(server.port)).status == 200
        second = get(hasty, at(server.port))
    assert second.error == f"{SLOW}the first byte of the answer"
    assert not second.was_stale
