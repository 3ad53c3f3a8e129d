"""The parallel scan over a real socket: what comes, how far ahead, and what never ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reaper.aws.dynamodb import calls as calls_module
from reaper.aws.dynamodb import endless
from reaper.aws.dynamodb.calls import DynamoApi
from reaper.aws.dynamodb.requests import ScanRequests
from reaper.aws.dynamodb.scan import ParallelScan
from reaper.aws.dynamodb.wire import Page
from reaper.core.errors import TableError
from reaper.core.portion import WholeTable
from tests.support import faulty_gateway as faults
from tests.support.clients import a_client
from tests.support.faulty_gateway import FaultyGateway

TIMEOUT_SECONDS = 1.0

Answer = Callable[[dict[str, Any]], Any]
"""From a Scan request to the answer: an object, or a behaviour of the server."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(calls_module, "FIRST_PAUSE_SECONDS", 0.01)


class Table:
    """A table API that answers Scan as it is told to."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[dict[str, Any]] = []
        self._client = a_client(
            "dynamodb", timeout_seconds=TIMEOUT_SECONDS, max_body_bytes=20_000_000
        )

    def __enter__(self) -> Table:
        self._server = FaultyGateway(default=self._behave)
        self._server.__enter__()
        self._api = DynamoApi(self._client, self._server.endpoint._replace(path=""), explain)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.__exit__()

    def scan(self, segments: int = 1, max_rcu: float = 0) -> ParallelScan:
        requests = ScanRequests("t", None, [("id",)])
        return ParallelScan(self._api, requests, WholeTable(segments, time.time()), max_rcu)

    def _behave(self, handler: Any) -> None:
        request = json.loads(handler.body)
        self.requests.append(request)
        answer = self._answer(request)
        (answer if callable(answer) else faults.answers(200, answer))(handler)


def explain(operation: str, code: str, message: str, _: float | None) -> TableError:
    return TableError(f"{operation}|{code}|{message}")


def a_page(number: int, segment: int, last: int, rows: int = 1) -> dict[str, Any]:
    page: dict[str, Any] = {
        "Items": [{"id": {"S": f"{segment}-{number}"}}] * rows,
        "ConsumedCapacity": {"CapacityUnits": 10.0},
    }
    if number < last:
        page["LastEvaluatedKey"] = {"id": {"S": f"{segment}-{number}"}}
    return page


def pages(last: int) -> Answer:
    """So many pages in each segment."""

    def answer(request: dict[str, Any]) -> Any:
        key = request.get("ExclusiveStartKey")
        number = int(key["id"]["S"].split("-")[1]) + 1 if key else 1
        return a_page(number, request["Segment"], last)

    return answer


def taken(scan: ParallelScan, seconds: float = 10) -> Iterator[Page]:
    give_up_at = time.monotonic() + seconds
    while not scan.exhausted and time.monotonic() < give_up_at:
        page = scan.next_page(0.05)
        if page is not None:
            yield page


def test_every_page_of_every_segment_comes_once():
    with Table(pages(5)) as table:
        found = [page.items()[0]["id"]["S"] for page in taken(table.scan(segments=3))]
    assert sorted(found) == sorted(f"{segment}-{n}" for segment in range(3) for n in range(1, 6))
    assert len(table.requests) == 15
    assert {request["ProjectionExpression"] for request in table.requests} == {"#0"}


def test_it_runs_ahead_by_one_page_of_each_segment_only():
    with Table(pages(50)) as table:
        scan = table.scan(segments=2)
        give_up_at = time.monotonic() + 5
        while scan.next_page(0.05) is None and time.monotonic() < give_up_at:
            pass
        time.sleep(0.3)
        assert len(table.requests) == 3  # the one that was taken, and one ahead of each


def test_what_it_costs_is_kept_below_the_limit():
    with Table(pages(6)) as table:
        started = time.monotonic()
        assert len(list(taken(table.scan(segments=2, max_rcu=100)))) == 12
        seconds = time.monotonic() - started
    assert seconds > 0.8 * 11 * 10 / 100


def test_what_may_pass_is_asked_for_again():
    refusals = iter([faults.broken, faults.hangs, faults.throttled_table])
    with Table(lambda request: next(refusals, a_page(1, request["Segment"], 1))) as table:
        assert len(list(taken(table.scan()))) == 1
    assert len(table.requests) == 4


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (faults.throttled_table, "Scan|ProvisionedThroughputExceededException|"),
        (faults.answers(200, b"<html>"), "its answer is not DynamoDB's own"),
        (faults.answers(200, b"{" + b'"a":[' * 3000), "is there a proxy in between"),
        (faults.answers(200, {"Items": 3}), "is there a proxy in between"),
        (faults.answers(200, b"{" + b"x" * 21_000_000), "it is larger than 19531 kB"),
        (faults.answers(413, b"{}"), "Scan|HTTP status 413|"),
    ],
)
def test_what_does_not_pass_is_an_error_of_the_table(answer, told):
    with Table(lambda _: answer) as table:
        scan = table.scan(segments=2)
        with pytest.raises(TableError) as raised:
            [page.items() for page in taken(scan)]
        assert told in str(raised.value)


@pytest.mark.parametrize("circle", [1, 2, 3, 7])
@pytest.mark.parametrize("straight", [0, 5])
def test_pages_that_go_round_in_a_circle_come_to_an_end(circle, straight):
    served = iter(range(10_000))

    def answer(request: dict[str, Any]) -> Any:
        n = next(served)
        return a_page(n if n < straight else straight + (n - straight) % circle, 0, 10_000)

    with (
        Table(answer) as table,
        pytest.raises(TableError, match=r"Scan of segment 0 does not .* an earlier LastEval"),
    ):
        list(taken(table.scan()))
    assert len(table.requests) < 4 * (circle + straight) + 4


def test_after_an_error_nothing_more_is_read():
    with Table(lambda _: faults.denied) as table:
        scan = table.scan(segments=2)
        with pytest.raises(TableError):
            list(taken(scan))
        assert scan.exhausted


def test_pages_without_a_row_come_to_an_end(monkeypatch):
    monkeypatch.setattr(endless, "MAX_EMPTY_PAGES", 20)
    served = iter(range(10_000))
    with (
        Table(lambda _: a_page(next(served), 0, 10_000, rows=0)) as table,
        pytest.raises(TableError, match="21 pages in a row without a row"),
    ):
        list(taken(table.scan()))


def test_an_answer_to_a_scan_that_was_stopped_is_not_taken_for_one_of_the_next():
    with Table(pages(3)) as table:
        scan = table.scan()
        scan.stop()
        assert scan.exhausted
        assert len(list(taken(table.scan()))) == 3


def test_a_page_that_nobody_takes_for_long_is_not_late():
    """It is larger than what waits in a socket, and rows are asked after at a slow pace."""

    def large(request: dict[str, Any]) -> Any:
        page = pages(3)(request)
        page["Items"] = [{"id": {"S": "x" * 1000}}] * 10_000
        return page

    with Table(large) as table:
        scan = table.scan()
        for _ in range(3):
            give_up_at = time.monotonic() + TIMEOUT_SECONDS * 1.5
            while time.monotonic() < give_up_at:
                scan.advance()
                time.sleep(0.02)
            assert scan.next_page(0) is not None
        assert (scan.exhausted, len(table.requests)) == (True, 3)
