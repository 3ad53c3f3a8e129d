"""The daemon's pages: what they say, and what slow and hostile clients can do to them."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest
import structlog

from reaper.core.errors import TableError, TableUnfit
from reaper.core.evidence.breaker import HoldReason
from reaper.core.evidence.holds import Explanation
from reaper.core.model import Reason
from reaper.telemetry.health import Health
from reaper.telemetry.history import MAX_SWEEPS, History, PastSweep
from reaper.telemetry.logs import configure_logs
from reaper.telemetry.sinks.prometheus import Build, PrometheusSink
from reaper.telemetry.web import server as web
from reaper.telemetry.web.server import HttpServer, Page
from reaper.telemetry.web.site import Remembered, site
from reaper.telemetry.web.status import Setup, Status
from tests.support.reports import a_failure, a_report, a_sweep
from tests.support.waiting import eventually

NOW = 1_795_500_000.0
SETUP = Setup(
    version="1",
    table="t",
    endpoint="https://abc.execute-api.eu-west-1.amazonaws.com/prod",
    region="eu-west-1",
    dry_run=False,
    heartbeat_mode="idle",
    interval_seconds=300,
    budget_rps=1000,
    quota_rps=10_000,
    ratio_limit=0.5,
    audit_log="/var/log/reaper/audit.jsonl",
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def past(ended_at: float, **fields) -> PastSweep:
    return PastSweep(ended_at, a_sweep(a_report(**fields)))


def a_status(history: History, health: Health | None = None) -> Status:
    return Status(SETUP, history, health or Health(300), lambda: NOW, lambda: NOW + 200)


def status_of(history: History, health: Health | None = None) -> dict:
    return a_status(history, health).to_dict()


@pytest.fixture
def daemon():
    """Pages of a daemon that has not swept yet: the clock, and how to fetch one."""
    clock, history = Clock(), History()
    health = Health(300, clock, lambda: NOW)
    sink = PrometheusSink(10_000, Build("1", "eu-west-1", "t"), health)
    server = HttpServer(("127.0.0.1", 0), site(a_status(history, health), health, sink))
    yield clock, history, server
    server.close()


def fetch(server: HttpServer, path: str, method: str = "GET", **more):
    url = f"http://127.0.0.1:{server.port}{path}"
    request = urllib.request.Request(url, method=method, **more)
    try:
        return urllib.request.urlopen(request, timeout=5)
    except urllib.error.HTTPError as answer:
        return answer


def test_health_is_503_when_no_sweep_has_ended_for_three_intervals(daemon):
    clock, _, server = daemon
    assert fetch(server, "/healthz").status == 200
    clock.now = 901
    answer = fetch(server, "/healthz")
    assert answer.status == 503
    told = json.load(answer)
    assert told.keys() == {"state", "since", "why", "next"}
    assert (told["state"], told["since"]) == ("failing", "2026-11-24T06:00:00.000Z")
    assert "no sweep has succeeded for 15 min" in told["why"]


def test_every_path_answers_with_its_kind(daemon):
    _, _, server = daemon
    for path, kind in (
        ("/", "text/html"),
        ("/status.json", "application/json"),
        ("/metrics", "text/plain"),
    ):
        answer = fetch(server, path)
        assert (answer.status, answer.headers.get_content_type()) == (200, kind)
        assert "server" not in answer.headers
    assert fetch(server, "/etc/passwd").status == 404
    assert fetch(server, "/", "POST").status == 405
    assert fetch(server, "/", "HEAD").read() == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("localhost", 200),
        ("LOCALHOST:9464", 200),
        ("[::1]:9464", 200),
        (socket.gethostname(), 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:9464", 403),
        ("[", 403),
    ],
)
def test_a_name_that_somebody_else_leads_here_is_refused(daemon, host, status):
    _, _, server = daemon
    answer = fetch(server, "/status.json", headers={"Host": host})
    assert answer.status == status
    assert (b"REAPER_HTTP_BIND" in answer.read()) is (status == 403)


def test_the_page_loads_nothing_and_its_browser_sees_to_it(daemon):
    _, _, server = daemon
    answer = fetch(server, "/")
    policy, html = answer.headers["Content-Security-Policy"], answer.read().decode()
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "src=" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_metrics_that_are_not_switched_on_say_how(daemon):
    health = Health(300)
    server = HttpServer(("127.0.0.1", 0), site(a_status(History(), health), health, None))
    answer = fetch(server, "/metrics")
    assert answer.status == 404
    assert b"REAPER_METRICS" in answer.read()
    server.close()


def test_the_status_answers_an_operators_questions():
    history = History()
    history.add(past(NOW - 4000, heartbeats=1000, messages=10))
    history.add(past(NOW - 300, heartbeats=40, messages=100, alive=5))
    held = a_report(
        heartbeats=20, messages=100, alive=50, fresh=5, confirmed=4, held=4, probe_rps=500.0
    )
    held = replace(held, hold_reason=HoldReason.TOO_MANY_GONE)
    why_held = Explanation("the endpoint may be wrong", "compare it")
    history.add(PastSweep(NOW - 10, a_sweep(held, why_held=why_held)))
    status = status_of(history)

    assert status["ratio_of_last_hour"] == 60 / 200
    assert status["heartbeat_dollars_per_month"] == pytest.approx(30 * 8640 * 1e-6)
    last = status["last"]
    assert (last["live"], last["zombies"], last["quota_utilization"]) == (55, 4, 0.05)
    assert (last["breaker_open"], last["why_held"]) == (True, str(why_held))
    assert len(status["sweeps"]) == 3


def test_a_page_is_not_made_for_each_of_many_who_ask():
    made = iter(range(100))
    page = Remembered(lambda: Page("text/plain", str(next(made)).encode()))
    assert {page().body for _ in range(50)} == {b"0"}


def test_no_client_can_fill_the_log(capsys):
    before, handlers = structlog.get_config(), logging.getLogger().handlers
    configure_logs("json", "info")
    try:
        logging.getLogger("waitress").error("127.0.0.1 is odd")
        logging.getLogger("waitress.queue").error("Task queue depth is 3")
        assert capsys.readouterr().err == ""
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers = handlers


def test_a_sweep_that_broke_off_has_its_row_and_makes_the_numbers_stale():
    history = History()
    history.add(past(NOW - 10, alive=5))
    assert status_of(history)["last"]["is_stale"] is False
    history.add(PastSweep(NOW, a_failure(TableError("no such table"))))
    status = status_of(history)
    assert (status["last"]["live"], status["last"]["is_stale"]) == (5, True)
    assert status["sweeps"][-1] == {
        "ended_at": "2026-11-24T06:00:00.000Z",
        "result": "failed",
        "failed_because": "no such table",
        "seconds": 0.1,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"not_understood": TableUnfit("none of 34 rows has an id", "correct it")},
        {"why_unheard": Explanation("none of 34 rows has an id", "correct it")},
    ],
)
def test_a_sweep_that_ended_and_did_not_do_its_work_says_why(wrong):
    history = History()
    history.add(PastSweep(NOW, a_sweep(a_report(scanned=34), **wrong)))
    assert status_of(history)["sweeps"][-1]["failed_because"] == "none of 34 rows has an id"


def test_numbers_of_long_ago_are_stale():
    history = History()
    history.add(past(NOW - 601, alive=5))
    assert status_of(history)["last"]["is_stale"] is True


def test_the_last_evictions_are_told_by_reason_and_without_ids():
    history = History()
    for n in range(20):
        reasons = {Reason.GONE: n, Reason.EXPIRED: 0}
        report = a_report(evicted=n, alive=1)
        history.add(PastSweep(NOW + n, a_sweep(report, evicted_by_reason=reasons)))
    evictions = status_of(history)["evictions"]
    assert [one["rows"] for one in evictions] == list(range(19, 9, -1))
    assert evictions[0] == {
        "at": "2026-11-24T06:00:19.000Z",
        "rows": 19,
        "by_reason": {"gone": 19},
        "dry_run": False,
    }


def test_the_history_is_bounded():
    history = History()
    for n in range(MAX_SWEEPS + 50):
        history.add(past(NOW + n))
    assert len(history.sweeps) == MAX_SWEEPS
    assert history.sweeps[-1].ended_at == NOW + MAX_SWEEPS + 49


@contextmanager
def clients(server: HttpServer, count: int, sends: bytes):
    with ExitStack() as open_sockets:
        made = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            made.append(open_sockets.enter_context(client))
            client.sendall(sends)
        yield made


def test_clients_that_never_finish_asking_hold_up_nobody(daemon):
    _, _, server = daemon
    with clients(server, web.MAX_CONNECTIONS // 2, b"GET / HTTP/1.1\r\nX: "):
        assert fetch(server, "/healthz").status == 200


def test_clients_that_take_all_connections_lose_them_soon():
    health = Health(300)
    pages = site(a_status(History(), health), health, None)
    server = HttpServer(("127.0.0.1", 0), pages, longest_connection_seconds=1)
    with clients(server, 2 * web.MAX_CONNECTIONS, b"GET / HTTP/1.1\r\nX: ") as sockets:
        started = time.monotonic()
        stop = threading.Event()
        trickle = threading.Thread(target=send_bytes_now_and_then, args=(sockets, stop))
        trickle.start()
        try:
            assert fetch(server, "/healthz").status == 200
            assert time.monotonic() - started < 5
        finally:
            stop.set()
            trickle.join()
    server.close()


def send_bytes_now_and_then(sockets: list[socket.socket], stop: threading.Event) -> None:
    """Which would keep a server that waits for silence waiting for ever."""
    while not stop.wait(0.2):
        for client in sockets:
            with suppress(OSError):  # it was cut off
                client.sendall(b"x")


def test_clients_that_read_nothing_hold_up_nobody(daemon):
    _, history, server = daemon
    for n in range(MAX_SWEEPS):
        history.add(past(NOW + n))
    with clients(server, 10, b"GET /status.json HTTP/1.1\r\n\r\n" * 20):
        assert fetch(server, "/healthz").status == 200


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET http://[::1 HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_sensible_request_is_refused_and_harms_nothing(daemon, request_text):
    _, _, server = daemon
    with clients(server, 1, request_text) as (client,):
        answer = client.recv(12)
        assert not answer or answer.split(b" ")[1][:1] in (b"4", b"5")
    assert fetch(server, "/healthz").status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_it_answers_on_either_family(host):
    if host == "::1" and not _has_ipv6():
        return
    health = Health(300)
    server = HttpServer((host, 0), site(a_status(History(), health), health, None))
    shown = f"[{host}]" if ":" in host else host
    with urllib.request.urlopen(f"http://{shown}:{server.port}/healthz") as answer:
        assert answer.status == 200
    server.close()


def test_it_closes_also_where_its_thread_is_awake_and_closes_the_pipe_first():
    health = Health(300)
    server = HttpServer(("127.0.0.1", 0), site(a_status(History(), health), health, None))
    trigger = server._server.trigger
    write = trigger._physical_pull

    def write_too_late() -> None:
        is_last = trigger.close in trigger.thunks
        write()
        if is_last:
            eventually(lambda: trigger._closed)
            write()

    trigger._physical_pull = write_too_late
    server.close()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_what_heartbeats_cost_is_told_of_the_whole_table_also_by_who_shares_its_sweeps():
    costs = []
    for parts in ([(range(4), 400)] * 2, [(range(1), 100), (range(1, 2), 100), (range(2), 200)]):
        history = History()
        for segments, heartbeats in parts:
            swept = a_sweep(a_report(heartbeats=heartbeats), segments=tuple(segments))
            history.add(PastSweep(NOW - 60, swept))
        costs.append(status_of(history)["heartbeat_dollars_per_month"])
    assert costs[0] == pytest.approx(costs[1])
