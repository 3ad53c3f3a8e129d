"""The gateway over real sockets: each answer and each fault has its outcome, and none is raised."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.httpsession import get_cert_path

from reaper.aws.gateway import MAX_CHECK_BYTES, Gateway
from reaper.aws.transport.http import Response
from reaper.aws.transport.trust import trust_in
from reaper.core.model import Ask, Outcome, Probe, Purpose
from reaper.core.rows.endpoint import Endpoint, parse_endpoint
from tests.support import faulty_gateway as faults
from tests.support.clients import a_client
from tests.support.faulty_gateway import FaultyGateway

TIMEOUT_SECONDS = 10.0
HASTY_SECONDS = 1.0


@pytest.fixture
def gateway():
    made = make_gateway(get_cert_path(True))
    yield made
    made.close()


@pytest.fixture
def hasty():
    """A gateway for those who are never answered."""
    made = make_gateway(get_cert_path(True), timeout_seconds=HASTY_SECONDS)
    yield made
    made.close()


def make_gateway(
    ca_bundle: str, credentials=None, timeout_seconds: float = TIMEOUT_SECONDS
) -> Gateway:
    client = a_client(
        "execute-api",
        timeout_seconds=timeout_seconds,
        max_body_bytes=MAX_CHECK_BYTES,
        trust=trust_in(ca_bundle),
        credentials=credentials,
    )
    return Gateway(client, b'{"type":"ping"}')


def ask(gateway: Gateway, endpoint: Endpoint, *names: str, how: Ask = Ask.CHECK):
    """Ask after each at once; the answers by connection id."""
    for name in names:
        gateway.start(Probe(endpoint, name, how, Purpose.DUE))
    answers = {}
    give_up_at = time.monotonic() + 2 * TIMEOUT_SECONDS
    while len(answers) < len(names) and time.monotonic() < give_up_at:
        for answer in gateway.poll(0.1):
            answers[answer.probe.connection_id] = answer
    assert gateway.in_flight == 0
    return answers


@pytest.mark.parametrize(
    ("behaviour", "outcome", "told"),
    [
        (faults.alive, Outcome.ALIVE, "200"),
        (faults.gone, Outcome.GONE, "410 GoneException"),
        (faults.denied, Outcome.DENIED, "403 AccessDeniedException"),
        (faults.wrong_stage, Outcome.DENIED, "403 ForbiddenException"),
        (faults.malformed_id, Outcome.REJECTED, "400 BadRequestException"),
        (faults.throttled, Outcome.THROTTLED, "429 LimitExceededException"),
        (faults.broken, Outcome.UNKNOWN, "500"),
        (faults.answers(302), Outcome.UNKNOWN, "302"),
        (faults.answers(204), Outcome.UNKNOWN, "204"),
        (faults.resets, Outcome.UNKNOWN, "connection broke"),
        (faults.truncates, Outcome.UNKNOWN, "connection broke"),
        (faults.speaks_garbage, Outcome.UNKNOWN, "connection broke"),
    ],
)
@pytest.mark.parametrize("how", [Ask.CHECK, Ask.HEARTBEAT])
def test_each_answer_has_its_outcome(gateway, how, behaviour, outcome, told):
    with FaultyGateway(default=behaviour) as server:
        answer = ask(gateway, server.endpoint, "abc=", how=how)["abc="]

    assert answer.outcome is outcome
    assert told in answer.detail


@pytest.mark.parametrize("how", Ask)
def test_no_answer_is_unknown(hasty, how):
    with FaultyGateway(default=faults.hangs) as server:
        answer = ask(hasty, server.endpoint, "abc=", how=how)["abc="]

    assert answer.outcome is Outcome.UNKNOWN
    assert "no answer within 1 s" in answer.detail


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (faults.answers(204), Outcome.GONE),
        (faults.gone, Outcome.GONE),
        (faults.denied, Outcome.DENIED),
        (faults.broken, Outcome.UNKNOWN),
    ],
)
def test_an_order_to_close_is_carried_out_or_not(gateway, behaviour, outcome):
    with FaultyGateway(default=behaviour) as server:
        answer = ask(gateway, server.endpoint, "abc=", how=Ask.CLOSE)["abc="]

    assert answer.outcome is outcome
    assert server.asked("DELETE") == {"abc=": 1}


def test_a_refused_connection_is_unknown(gateway):
    with FaultyGateway() as server:
        endpoint = server.endpoint
    answer = ask(gateway, endpoint, "abc=")["abc="]

    assert answer.outcome is Outcome.UNKNOWN
    assert answer.detail == (
        f"cannot connect to 127.0.0.1 at 127.0.0.1:{endpoint.port}: Connection refused"
    )


def test_an_unknown_host_is_unknown(gateway):
    endpoint = Endpoint("http", "nowhere.invalid", 80, "/prod", "us-east-1", None, None)

    answer = ask(gateway, endpoint, "abc=")["abc="]
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.detail.startswith("cannot resolve nowhere.invalid: ")


def test_a_hung_request_holds_up_no_other(gateway):
    with FaultyGateway({"stuck": faults.hangs}) as server:
        gateway.start(Probe(server.endpoint, "stuck", Ask.CHECK, Purpose.DUE))
        others = {}
        for n in range(20):
            gateway.start(Probe(server.endpoint, f"c{n}", Ask.CHECK, Purpose.DUE))
        while len(others) < 20:
            others |= {answer.probe.connection_id: answer for answer in gateway.poll(0.05)}

    assert {answer.outcome for answer in others.values()} == {Outcome.ALIVE}
    assert "stuck" not in others


def test_a_request_without_an_answer_is_cut_not_just_forgotten(hasty):
    with FaultyGateway(default=faults.hangs) as server:
        ask(hasty, server.endpoint, "stuck")

        assert server.is_hung_up_on(within_seconds=2)


def test_connections_are_kept_alive(gateway):
    with FaultyGateway() as server:
        for n in range(5):
            ask(gateway, server.endpoint, f"c{n}")

        assert server.connections_opened == 1


def test_a_connection_that_the_server_closed_is_opened_again(gateway):
    with FaultyGateway(default=faults.answers_then_closes) as server:
        answers = []
        for n in range(10):
            gateway.poll(0.05)  # hears of the end
            answers.append(ask(gateway, server.endpoint, f"c{n}")[f"c{n}"])

    assert [answer.outcome for answer in answers] == [Outcome.ALIVE] * 10


def test_an_answer_that_a_stale_connection_lost_is_told_as_such_and_not_asked_for_again(gateway):
    with FaultyGateway({"c1": faults.resets}) as server:
        ask(gateway, server.endpoint, "c0")
        answer = ask(gateway, server.endpoint, "c1")["c1"]

    assert answer.outcome is Outcome.UNKNOWN
    assert answer.was_stale
    assert server.asked() == {"c0": 1, "c1": 1}


def test_a_heartbeat_carries_the_payload_and_a_check_none(gateway):
    seen = []

    def records(handler):
        seen.append((handler.command, handler.headers.get("Content-Length")))
        faults.alive(handler)

    with FaultyGateway(default=records) as server:
        ask(gateway, server.endpoint, "a")
        ask(gateway, server.endpoint, "a", how=Ask.HEARTBEAT)

    assert seen == [("GET", None), ("POST", str(len(b'{"type":"ping"}')))]


def test_a_check_tells_when_the_client_was_last_active(gateway):
    local = faults.answers(200, {"ConnectedAt": 1700000000, "LastActiveAt": 1790000000})
    with FaultyGateway(
        {"aws": faults.idle, "local": local, "silent": faults.answers(200, b"<html>")}
    ) as server:
        answers = ask(gateway, server.endpoint, "aws", "local", "silent")

    assert answers["aws"].last_active_at == pytest.approx(time.time() - 600, abs=5)
    assert answers["local"].last_active_at == 1790000000
    assert answers["silent"].last_active_at is None


@pytest.mark.parametrize(
    "error",
    [
        CredentialRetrievalError(provider="task-role", error_msg="the agent is away"),
        ClientError({"Error": {"Message": "the agent is away"}}, "AssumeRole"),
        RuntimeError("the agent is away"),
    ],
)
def test_credentials_that_cannot_be_refreshed_make_the_answer_unknown(error):
    class Broken:
        def get_frozen_credentials(self):
            raise error

    gateway = make_gateway(get_cert_path(True), Broken())
    with FaultyGateway() as server:
        answer = ask(gateway, server.endpoint, "abc=")["abc="]

    assert answer.outcome is Outcome.UNKNOWN
    assert "the agent is away" in answer.detail


def test_an_answer_that_came_in_time_counts_however_late_it_is_looked_at(hasty):
    with FaultyGateway() as server:
        ask(hasty, server.endpoint, *(f"warm{n}" for n in range(20)))
        for n in range(20):
            hasty.start(Probe(server.endpoint, f"c{n}", Ask.CHECK, Purpose.DUE))
        time.sleep(HASTY_SECONDS * 1.5)
        outcomes = [answer.outcome for answer in hasty.poll(0)]

    assert outcomes == [Outcome.ALIVE] * 20


def test_a_request_that_cannot_be_sent_is_given_up_at_once(gateway):
    with FaultyGateway() as server:
        endpoint = server.endpoint._replace(path="/not a path")
        answer = ask(gateway, endpoint, "abc=")["abc="]

        assert "cannot send" in answer.detail
        assert server.connections_opened <= 1


def test_what_is_started_goes_out_with_the_next_poll(gateway):
    with FaultyGateway() as server:
        ask(gateway, server.endpoint, "warm")
        gateway.start(Probe(server.endpoint, "c", Ask.CHECK, Purpose.DUE))

        assert [answer.outcome for answer in gateway.poll(TIMEOUT_SECONDS / 2)] == [Outcome.ALIVE]


PAGE = b"<html><body>Service unavailable</body></html>"


def of_a_proxy(status: int, *headers: tuple[str, str], body: bytes = PAGE):
    """Something in between, which answers for the gateway."""

    def behave(handler):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


HTML = ("Content-Type", "text/html; charset=utf-8")


@pytest.mark.parametrize("status", [200, 410])
@pytest.mark.parametrize("how", [Ask.CHECK, Ask.HEARTBEAT])
def test_a_page_in_html_is_not_the_gateways_word(gateway, how, status):
    for behaviour in (of_a_proxy(status, HTML), of_a_proxy(status)):
        with FaultyGateway(default=behaviour) as server:
            answer = ask(gateway, server.endpoint, "abc=", how=how)["abc="]
        assert answer.outcome is Outcome.UNKNOWN
        assert "is there a proxy in between?" in answer.detail


def test_a_410_in_html_that_is_amazons_own_is_one(gateway):
    behaviour = of_a_proxy(410, HTML, ("x-amzn-RequestId", "f3b2"))
    with FaultyGateway(default=behaviour) as server:
        assert ask(gateway, server.endpoint, "abc=")["abc="].outcome is Outcome.GONE


@pytest.mark.parametrize(
    ("body", "headers", "how", "outcome"),
    [
        (b'{"connectedAt": "2026-11-26T10:00:00Z"}', b"", Ask.CHECK, Outcome.ALIVE),
        (b'{"status": "ok"}', b"", Ask.CHECK, Outcome.UNKNOWN),
        (b"ok", b"", Ask.CHECK, Outcome.UNKNOWN),
        (b"ok", b"", Ask.HEARTBEAT, Outcome.UNKNOWN),
        (b"", b"\r\nx-amzn-RequestId: f3b2", Ask.HEARTBEAT, Outcome.ALIVE),
        (b"", b"\r\nx-amzn-RequestId: f3b2", Ask.CHECK, Outcome.ALIVE),
    ],
)
def test_on_hosts_of_api_gateways_own_a_200_must_be_its_own_too(body, headers, how, outcome):
    endpoint = parse_endpoint("https://abc123.execute-api.eu-west-1.amazonaws.com/prod", None)
    probe = Probe(endpoint, "abc=", how, Purpose.DUE)
    response = Response(probe, 200, b"HTTP/1.1 200 OK" + headers, body, "")
    assert Gateway(None, b"")._answer(response).outcome is outcome


def test_a_check_tells_when_the_client_connected_and_what_time_it_is(gateway):
    with FaultyGateway() as server:
        answer = ask(gateway, server.endpoint, "abc=")["abc="]
    assert answer.connected_at == pytest.approx(time.time() - 600, abs=5)
    assert answer.said_at == pytest.approx(time.time(), abs=5)


def test_a_suspect_is_asked_over_a_connection_that_did_not_just_carry_an_answer(gateway):
    """Where something in between has sent an answer too many, the next question would get it."""

    def answers_twice(handler):
        stray = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
        alive(handler)
        handler.wfile.write(stray)

    alive = faults.alive
    with FaultyGateway({"first": answers_twice}) as server:
        assert ask(gateway, server.endpoint, "first")["first"].outcome is Outcome.ALIVE
        probe = Probe(server.endpoint, "live", Ask.CHECK, Purpose.SUSPECT, is_rested=True)
        gateway.start(probe)
        answers = []
        while not answers:
            answers = gateway.poll(1.0)
    assert answers[0].outcome is Outcome.ALIVE
    assert server.connections_opened == 2


def test_nor_over_the_one_that_carried_its_last_answer_however_long_that_has_rested(gateway):
    with FaultyGateway({"dead": faults.gone}) as server:
        first = ask(gateway, server.endpoint, "dead")["dead"]
        assert first.connection > 0
        time.sleep(1.1)
        answers = []
        for not_over in (0, first.connection):
            probe = Probe(
                server.endpoint, "dead", Ask.CHECK, Purpose.SUSPECT, is_rested=True,
                not_over=not_over,
            )  # fmt: skip
            gateway.start(probe)
            while not (came := gateway.poll(1.0)):
                pass
            answers += came
            time.sleep(1.1)

    assert answers[0].connection == first.connection
    assert answers[1].connection != first.connection


@pytest.mark.parametrize("date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "soon", ""])
def test_a_date_that_is_none_costs_no_answer(date):
    endpoint = parse_endpoint("https://abc123.execute-api.eu-west-1.amazonaws.com/prod", None)
    body = b'{"connectedAt": "2026-11-26T10:00:00Z"}'
    head = f"HTTP/1.1 200 OK\r\nDate: {date}".encode()
    response = Response(Probe(endpoint, "abc=", Ask.CHECK, Purpose.DUE), 200, head, body, "")
    answer = Gateway(None, b"")._answer(response)
    assert (answer.outcome, answer.said_at) == (Outcome.ALIVE, None)
