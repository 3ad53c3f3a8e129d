"""A sweep of some segments, by the ordinary code path, on a real table API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import boto3
import pytest

from reaper.config.environment import load_settings
from reaper.core.report.report import SweepResult
from reaper.telemetry.audit import AuditLog
from reaper.wiring import make_clients, make_worker
from reaper.worker import Worker
from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.portions import Some
from tests.support.rows import zombie

OF = 4


@pytest.fixture
def worker(cloud, monkeypatch) -> Iterator[Callable[..., Worker]]:
    with ExitStack() as stack:

        def make(table: str, server: FaultyGateway, **settings: str) -> Worker:
            environment = cloud.environment(
                table, server.url, REAPER_FRESH_SECONDS="0", REAPER_HEARTBEAT_MODE="off", **settings
            )
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            settings = load_settings("us-east-1")
            clients = stack.enter_context(closing(make_clients(settings, boto3.Session())))
            return make_worker(settings, clients, AuditLog("/dev/null"))

        yield make


def each_segment(worker: Worker) -> list[SweepResult]:
    return [worker.sweep(Some((number,), OF), spread=False) for number in range(OF)]


def test_the_segments_together_come_to_what_a_sweep_of_the_table_does(cloud, worker):
    table = cloud.make_table(("connectionId", "S"))
    names = [f"c{n:03}" for n in range(400)]
    gone = set(names[::4])
    cloud.put(table, *(zombie(name) for name in names))
    with FaultyGateway(dict.fromkeys(gone, faults.gone)) as server:
        results = each_segment(worker(table, server))

    reports = [result.report for result in results]
    assert sum(report.scanned for report in reports) == 400
    assert sum(report.evicted for report in reports) == 100
    assert cloud.ids(table) == set(names) - gone
    assert sum(result.details.share for result in results) == 1
    assert all(20 < report.scanned < 180 for report in reports), "samples of a like size"


def test_each_segment_holds_by_itself_what_the_wrong_api_says(cloud, worker):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(100)))
    with FaultyGateway(default=faults.gone) as server:
        results = each_segment(worker(table, server))

    assert {result.report.hold_reason for result in results} == {"unproven-endpoint"}
    assert len(cloud.ids(table)) == 100


def test_the_floor_of_the_breaker_is_the_tables_and_not_each_segments(cloud, worker):
    """Else sixteen segments would let go nineteen rows each of what the table would hold."""
    table = cloud.make_table(("connectionId", "S"))
    names = [f"c{n:03}" for n in range(80)]
    gone = {name for n, name in enumerate(names) if n % 4}
    cloud.put(table, *(zombie(name) for name in names))
    with FaultyGateway(dict.fromkeys(gone, faults.gone)) as server:
        results = each_segment(worker(table, server, REAPER_MIN_GONE_ROWS="20"))

    assert sum(result.report.confirmed for result in results) == 60
    assert {result.report.hold_reason for result in results} == {"too-many-gone"}
    assert cloud.ids(table) == set(names)


def test_rows_of_one_partition_key_are_all_in_one_segment_and_judged_by_each_other(cloud, worker):
    """So a room that all have left is held, where a worker by itself would let it go."""
    table = cloud.make_table(("room", "S"), ("connectionId", "S"))
    cloud.put(table, *(zombie(f"left-{n}", room={"S": "left"}) for n in range(30)))
    left = cloud.ids(table)
    with FaultyGateway(dict.fromkeys(left, faults.gone)) as server:
        one = worker(table, server)
        (its_segment,) = [n for n in range(OF) if in_segment(cloud, table, n)]
        for room in (f"room-{n}" for n in range(8)):
            cloud.put(table, *(zombie(f"{room}-{n}", room={"S": room}) for n in range(10)))
        strangers = in_segment(cloud, table, its_segment) - left
        for name in strangers:
            room = {"S": name.rpartition("-")[0]}
            cloud.dynamodb.delete_item(
                TableName=table, Key={"room": room, "connectionId": {"S": name}}
            )
        parts = [result.report for result in each_segment(one)]
        after_parts = cloud.ids(table)
        whole = one.sweep(spread=False).report

    held = parts.pop(its_segment)
    assert (held.held, held.evicted) == (30, 0)
    assert {report.hold_reason for report in parts} == {None}
    assert left <= after_parts
    assert (whole.hold_reason, whole.evicted) == (None, 30)


def in_segment(cloud, table: str, number: int) -> set[str]:
    page = cloud.dynamodb.scan(TableName=table, Segment=number, TotalSegments=OF)
    return {item["connectionId"]["S"] for item in page["Items"]}


def test_a_portion_keeps_to_its_share_of_the_budget_and_of_the_read_units(cloud, worker):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(400)))
    with FaultyGateway() as server:
        one = worker(
            table, server, REAPER_QUOTA_RPS="200", REAPER_QUOTA_SHARE="1", REAPER_SCAN_MAX_RCU="400"
        )
        report = one.sweep(Some((0,), OF), spread=False).report

    assert report.seconds >= report.scanned / (200 / OF) - 0.5


def test_a_sweep_that_begins_later_by_another_clock_is_spread_no_further_than_any(cloud, worker):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(100)))
    with FaultyGateway() as server:
        one = worker(table, server, REAPER_SWEEP_INTERVAL_SECONDS="2")
        one.sweep(Some((0, 1), 2), spread=True)
        ahead = Some((0, 1), 2, started_at=time.time() + 1000)
        report = one.sweep(ahead, spread=True).report

    assert (report.scanned, report.alive) == (100, 100)
    assert report.seconds < 10


def test_a_portion_that_is_lost_midway_asks_nobody_any_more(cloud, worker):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(200)))

    class Lost:
        total_segments, segments, started_at, is_all_here = OF, (0, 1, 2), 0.0, True

        def close(self) -> None:
            """Nothing is ever added."""

        @property
        def is_lost(self) -> bool:
            return len(server.requests) > 20

    with FaultyGateway(default=faults.gone) as server:
        one = worker(table, server, REAPER_QUOTA_RPS="100", REAPER_QUOTA_SHARE="1")
        result = one.sweep(Lost(), spread=False)

    assert result.report.api_calls < 40
    assert not result.report.complete
    assert result.details.share == 0, "whoever has it next counts it"
    assert len(cloud.ids(table)) == 200
