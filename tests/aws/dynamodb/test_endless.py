"""Reads that never come to an end, over a real socket: each is told with what was seen."""

from __future__ import annotations

import itertools
import json

import pytest
from botocore.session import get_session

from reaper.aws.dynamodb import calls, table
from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.core.errors import TableError
from reaper.core.iam import TableId
from tests.support import faulty_gateway as faults
from tests.support.clients import a_client
from tests.support.faulty_gateway import FaultyGateway

KEY = {"id": {"S": "abc="}}


@pytest.fixture
def read(monkeypatch):
    """Opens a table whose API behaves so."""
    monkeypatch.setattr(calls, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    opened = []

    def open_table(behaviour) -> ConnectionsTable:
        server = FaultyGateway(default=behaviour)
        server.__enter__()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.port}")
        made = ConnectionsTable(
            TableId("t"), None, "us-east-1", get_session(), lambda: a_client("dynamodb")
        )
        made.key_names = ("id",)
        opened.append((server, made))
        return made

    yield open_table
    for server, made in opened:
        made.close()
        server.__exit__()


def unprocessed(handler) -> None:
    """Gives back every key that it is asked for."""
    keys = json.loads(handler.body)["RequestItems"]["t"]["Keys"]
    faults.answers(200, {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": keys}}})(handler)


def test_keys_that_are_never_processed(read):
    with pytest.raises(TableError, match="3 keys came back as UnprocessedKeys 5 times"):
        read(unprocessed).read([{"id": {"S": str(n)}} for n in range(3)])


def test_keys_that_are_processed_one_by_one_are_all_read(read):
    def one_at_a_time(handler) -> None:
        first, *rest = json.loads(handler.body)["RequestItems"]["t"]["Keys"]
        answer = {"Responses": {"t": [first]}}
        if rest:
            answer["UnprocessedKeys"] = {"t": {"Keys": rest}}
        faults.answers(200, answer)(handler)

    keys = [{"id": {"S": str(n)}} for n in range(12)]
    assert read(one_at_a_time).read(keys) == keys


def a_page(number: int) -> dict[str, object]:
    key = {"id": {"S": "abc="}, "n": {"N": str(number)}}
    return {"Items": [key], "Count": 1, "LastEvaluatedKey": key}


def test_a_partition_whose_pages_go_round(read):
    with pytest.raises(TableError, match="Query of a partition of table t does not come to an end"):
        read(faults.answers(200, a_page(1))).read_partition(KEY)


def test_a_partition_that_is_larger_than_any_connections(read, monkeypatch):
    monkeypatch.setattr(table, "MAX_PARTITION_PAGES", 3)
    numbers = itertools.count()

    def next_page(handler) -> None:
        faults.answers(200, a_page(next(numbers)))(handler)

    with pytest.raises(TableError, match="set REAPER_EVICT_SCOPE=row"):
        read(next_page).read_partition(KEY)
