"""The status page in a real browser, beside the sweeps that the daemon logs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.chat.standin import free_port
from tests.support import faulty_gateway as faults
from tests.support.browser import browser_tab
from tests.support.cloud import daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import log_of, sweeps
from tests.support.rows import zombie
from tests.support.waiting import eventually

CLIPPED = """[...document.querySelectorAll('body *')]
    .filter(e => !(e instanceof SVGElement) && e.clientWidth > 0)
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => e.tagName + e.id)"""
TILES_IN_FIRST_ROW = """(tiles => tiles.filter(tile =>
    tile.offsetTop === tiles[0].offsetTop).length)([...document.querySelectorAll('.tile')])"""


@pytest.fixture(scope="module")
def tab():
    with browser_tab() as opened:
        yield opened


@pytest.fixture
def shown(cloud, tab, tmp_path):
    """Runs a daemon, opens its page, and returns its log and the page's URL."""
    with ExitStack() as running:

        def show(table: str, endpoint: str, **settings: str) -> tuple[Path, str]:
            bind, log = f"127.0.0.1:{free_port()}", tmp_path / "log"
            environment = cloud.environment(
                table, endpoint, REAPER_SWEEP_INTERVAL_SECONDS="1", **settings
            ) | {"REAPER_HTTP_BIND": bind}
            running.enter_context(daemon(environment, log))
            eventually(lambda: sweeps(log))
            tab.requested.clear()
            tab.complaints.clear()
            tab.open(f"http://{bind}/")
            eventually(lambda: "last sweep" in tab.text("#doing"))
            return log, f"http://{bind}/"

        yield show


def test_the_page_shows_the_sweeps_numbers_and_asks_nobody_else(cloud, tab, shown):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(
        table, zombie("gone"), *(zombie(f"l{n}", messageCount={"N": "72000"}) for n in range(8))
    )
    settings = {"REAPER_HEARTBEAT_MODE": "always", "REAPER_MAX_HEARTBEAT_RATIO": "0.5"}
    with FaultyGateway({"gone": faults.gone}) as server:
        log, url = shown(table, server.url, **settings)
        eventually(lambda: tab.text("#sweeps tr:nth-child(2)") != "None")
        shown_rows = tab.evaluate(
            "[...document.querySelectorAll('#sweeps tr:not(.note)')]"
            ".map(row => [...row.cells].map(cell => cell.innerText))"
        )
    reports = sweeps(log)
    logged = [
        [
            str(one[name])
            for name in (
                *("scanned", "alive", "newborn", "fresh", "expired", "confirmed", "evicted"),
                *("held", "unknown", "denied", "throttled", "checks", "heartbeats", "messages"),
            )
        ]
        for one in reports
    ]
    assert [row[1:15] for row in reversed(shown_rows)] == logged[: len(shown_rows)]
    assert tab.text("#table") == table
    assert (tab.text("#live"), tab.text("#breaker")) == ("8", "closed")
    assert "limit 0.500" in tab.text("#ratio-note")
    assert tab.evaluate("document.querySelector('#ratio-chart .limit') !== null")
    assert tab.evaluate("document.querySelector('#ratio-chart .trend').points.length") >= 2
    assert set(tab.requested) <= {url, f"{url}status.json", "data:,"}
    assert tab.complaints == []


def test_why_evictions_are_held_is_on_the_page(cloud, tab, shown):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"z{n}") for n in range(5)))
    with FaultyGateway(default=faults.gone) as server:
        shown(table, server.url)
        eventually(lambda: (tab.text("#breaker"), tab.text("#zombies")) == ("open", "5"))
        assert tab.text("#breaker-note") == "unproven-endpoint"
        assert tab.text("#state-name") == "degraded"
        assert "5 evictions are held (unproven-endpoint): 5 rows answered 410" in tab.text("#why")
        assert "REAPER_API_ENDPOINT" in tab.text("#next")


def test_what_went_wrong_is_on_the_page_as_text(cloud, tab, shown):
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway() as server:
        shown(table, server.url)
        cloud.dynamodb.delete_table(TableName=table)
        eventually(lambda: tab.text("#state-name") == "failing")
        assert f"there is no table {table}" in tab.text("#why")
        assert "REAPER_TABLE_NAME" in tab.text("#next")
        assert "no sweep since then has any" in tab.text("#notices")
        assert tab.evaluate("document.getElementById('numbers').className") == "stale"
        assert f"failed: there is no table {table}" in tab.text("#sweeps tr.note.failed")


def test_a_worker_who_shares_sweeps_shows_which_segments_it_did(cloud, tab, shown, tmp_path):
    table, queue = cloud.make_table(("connectionId", "S")), cloud.make_queue(30)
    cloud.put(table, *(zombie(f"l{n}") for n in range(40)))
    shared = {"REAPER_QUEUE_URL": queue.url, "REAPER_SCAN_SEGMENTS": "8"}
    with FaultyGateway() as server:
        others = cloud.environment(table, server.url, REAPER_SWEEP_INTERVAL_SECONDS="1", **shared)
        with daemon(others, tmp_path / "other"):
            log, _ = shown(table, server.url, **shared)
            eventually(lambda: "segments" in tab.text("#live-note"))
            note = tab.text("#live-note")
    done = [entry["segments"] for entry in log_of(log) if entry["event"] == "segments completed"]
    assert note.partition(" in segments ")[2] in {
        f"{', '.join(map(str, segments))} of 0 to 7" for segments in done
    }


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_by_day_and_by_night(cloud, tab, shown, dark):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("live"))
    with FaultyGateway() as server:
        _, url = shown(table, server.url)
        tab.open(url, width=360, dark=dark)
        eventually(lambda: tab.text("#live") == "1")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.evaluate(CLIPPED) == []
        assert tab.evaluate(TILES_IN_FIRST_ROW) == 2
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(","))) < 200) is dark


def test_a_page_whose_daemon_is_gone_says_so(cloud, tab, tmp_path):
    table, log = cloud.make_table(("connectionId", "S")), tmp_path / "log"
    bind = f"127.0.0.1:{free_port()}"
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url) | {"REAPER_HTTP_BIND": bind}
        with daemon(environment, log):
            eventually(lambda: sweeps(log))
            tab.open(f"http://{bind}/")
            eventually(lambda: "last sweep" in tab.text("#doing"))
        eventually(lambda: "does not answer" in tab.text("#state"))
