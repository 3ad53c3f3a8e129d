"""The conditional delete and the reads, against a real table API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.core.errors import TableError
from reaper.core.model import Change
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import attribute_path
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import MissedPongs
from reaper.core.rows.shape import RowShape
from tests.support.builders import ENDPOINT, NOW
from tests.support.cloud import Cloud
from tests.support.open_table import a_table

SHAPE = RowShape(
    key_names=("room", "seat"),
    connection_id=attribute_path("socket.connection-id"),
    connected_at=("connectedAt",),
    last_seen_at=("lastSeenAt",),
    message_count=("messageCount",),
    endpoint=(("requestContext",),),
)
ROW = {
    "room": {"S": "lobby"},
    "seat": {"N": "7"},
    "socket": {"M": {"connection-id": {"S": "abc="}, "ip": {"S": "203.0.113.7"}}},
    "connectedAt": {"S": "2026-11-24T07:44:26Z"},
    "requestContext": {"M": {"domainName": {"S": ENDPOINT.host}, "stage": {"S": "prod"}}},
}


@pytest.fixture
def table(cloud: Cloud, monkeypatch) -> Iterator[ConnectionsTable]:
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    made = a_table(cloud, cloud.make_table(("room", "S"), ("seat", "N")))
    made.describe()
    cloud.put(made.name, ROW)
    yield made
    made.close()


def scanned(table: ConnectionsTable):
    reader = RowReader(SHAPE, EndpointResolver(ENDPOINT, ENDPOINT.region))
    (row,) = reader.read_page(table.scan_page(SHAPE).items(), NOW)
    return row


def test_keys_are_read_from_the_table(table):
    assert table.key_names == ("room", "seat")


def test_a_scan_brings_what_is_needed_and_what_it_cost(table):
    page = table.scan_page(SHAPE)

    assert page.items()[0]["socket"] == {"M": {"connection-id": {"S": "abc="}}}
    assert page.next_key is None
    assert page.read_units > 0


def test_an_untouched_row_is_deleted(cloud, table):
    assert table.delete([scanned(table)]) == [Change.DONE]
    assert cloud.rows(table.name) == []


@pytest.mark.parametrize(
    "touch",
    [
        {"socket": {"M": {"connection-id": {"S": "newer="}}}},
        {"socket": {"S": "no map any more"}},
        {"connectedAt": {"S": "2026-11-24T07:44:27Z"}},
        {"lastSeenAt": {"N": "1795506266"}},
        {"messageCount": {"N": "1"}},
        {"requestContext": {"M": {"domainName": {"S": "other"}, "stage": {"S": "prod"}}}},
    ],
)
def test_a_row_that_was_touched_since_it_was_read_stays(cloud, table, touch):
    row = scanned(table)
    cloud.put(table.name, ROW | touch)

    assert table.delete([row]) == [Change.REFUSED]
    assert cloud.rows(table.name) == [ROW | touch]


def test_a_row_that_is_gone_already_counts_as_changed(cloud, table):
    row = scanned(table)
    cloud.dynamodb.delete_item(TableName=table.name, Key=row.key)

    assert table.delete([row]) == [Change.REFUSED]


@pytest.mark.parametrize(("others", "size"), [(0, 0), (3, 0), (95, 0), (12, 350_000)])
def test_rows_go_together_or_not_at_all(cloud, table, others, size):
    row = scanned(table)
    big = {"note": {"S": "x" * size}} if size else {}
    more = [ROW | big | {"seat": {"N": str(n)}} for n in range(1000, 1000 + others)]
    cloud.put(table.name, *more)
    touched = ROW | {"lastSeenAt": {"N": "1795506266"}}
    cloud.put(table.name, touched)

    assert table.delete_together([row], more) is Change.REFUSED
    assert len(cloud.rows(table.name)) == 1 + others

    cloud.put(table.name, ROW)
    assert table.delete_together([row], more) is Change.DONE
    assert cloud.rows(table.name) == []


def test_a_count_of_missed_pongs_is_noted_on_an_untouched_row_only(cloud, table):
    row = scanned(table)
    note = MissedPongs(2, NOW, "abc")
    assert table.note_missed_pongs(row, note) is Change.DONE
    (noted,) = cloud.rows(table.name)
    reader = RowReader(
        replace(SHAPE, counts_pongs=True), EndpointResolver(ENDPOINT, ENDPOINT.region)
    )
    (row_now,) = reader.read(noted, NOW)
    assert row_now.missed_pongs == note

    cloud.put(table.name, ROW | {"messageCount": {"N": "1"}})
    assert table.note_missed_pongs(row, note) is Change.REFUSED
    assert "reaperMissedPongs" not in cloud.rows(table.name)[0]


def test_whole_rows_are_read_by_the_hundred(cloud, table):
    cloud.put(table.name, *(ROW | {"seat": {"N": str(n)}} for n in range(100, 350)))
    keys = [{"room": {"S": "lobby"}, "seat": {"N": str(n)}} for n in range(100, 360)]

    found = table.read([*keys, *keys[:3]])
    assert len(found) == 250
    assert {item["seat"]["N"] for item in found} == {str(n) for n in range(100, 350)}
    assert all(item["socket"] == ROW["socket"] for item in found)


def test_nothing_has_the_impossible_key(table):
    table.try_delete()
    table.try_update()
    table.try_transaction()
    assert table.read([table.impossible_key()]) == []


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="http://t"),
        ConnectionClosedError(endpoint_url="http://t"),
        EndpointConnectionError(endpoint_url="http://t"),
    ],
)
def test_a_connection_that_breaks_is_an_error_of_the_table(table, monkeypatch, error):
    def breaks(*_, **__):
        raise error

    monkeypatch.setattr(table._connection.client, "_make_api_call", breaks)
    for use in (table.describe, table.try_delete):
        with pytest.raises(TableError, match="failed"):
            use()


def test_an_index_with_a_projection_is_scanned_for_what_it_holds(cloud, monkeypatch):
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    name = cloud.make_indexed_table(
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["lastSeenAt"]}
    )
    indexed = a_table(cloud, name, "by-connection")
    indexed.describe()

    assert indexed.projected == {"pk", "connectionId", "lastSeenAt"}
    assert indexed.scan_page(None).items() == []
    indexed.close()


def test_a_table_that_does_not_exist_is_named(cloud, table):
    missing = a_table(cloud, "missing")
    with pytest.raises(TableError, match="no table missing in Region us-east-1"):
        missing.describe()
