"""What people would otherwise write, as well as it is usually written.

``python -m tests.bench.rivals NAME GATEWAY_URL TABLE_URL COUNT`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from tests.bench.table_api import TABLE, connection_id

THREADS = 50


def probes(gateway_url: str, _: str, count: int) -> dict[str, float]:
    """boto3's GetConnection from a pool of threads; one in ten is gone."""
    client = _gateway(gateway_url)
    ids = [connection_id(n, gone_percent=10) for n in range(count)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda one: _is_gone(client, one), ids[:THREADS]))
        return _measured(count, lambda: list(pool.map(lambda one: _is_gone(client, one), ids)))


def cleanup(gateway_url: str, table_url: str, count: int) -> dict[str, float]:
    """The usual job: scan, ask after each with 50 threads, delete in batches what is gone."""

    def run() -> None:
        table, client = _table(table_url), _gateway(gateway_url)
        with ThreadPoolExecutor(THREADS) as pool:
            for page in _pages(table):
                ids = [item["connectionId"]["S"] for item in page]
                gone = pool.map(lambda one: _is_gone(client, one), ids)
                _delete(table, [one for one, is_gone in zip(ids, gone, strict=True) if is_gone])

    return _measured(count, run)


def scan(_: str, table_url: str, count: int) -> dict[str, float]:
    """pynamodb's Model.scan, looking whether a row is fresh."""

    class Connection(Model):
        class Meta:
            table_name = TABLE
            region = "eu-west-1"
            host = table_url

        connectionId = UnicodeAttribute(hash_key=True)
        connectedAt = NumberAttribute()
        lastSeenAt = NumberAttribute()
        userId = UnicodeAttribute()
        room = UnicodeAttribute()

    def run() -> None:
        now = time.time() * 1000
        fresh = sum(now - row.lastSeenAt < 180_000 for row in Connection.scan())
        assert fresh == count

    return _measured(count, run)


def evictions(_: str, table_url: str, count: int) -> dict[str, float]:
    """A loop of conditional deletes, each with a line in a log that is flushed."""
    table = _table(table_url)

    def run() -> None:
        with open("/dev/null", "a") as log:
            for n in range(count):
                key = {"connectionId": {"S": connection_id(n, gone_percent=5)}}
                table.delete_item(
                    TableName=TABLE,
                    Key=key,
                    ConditionExpression="connectedAt = :then",
                    ExpressionAttributeValues={":then": {"N": "1795500000000"}},
                )
                print(json.dumps(key), file=log, flush=True)

    return _measured(count, run)


def _measured(count: int, run: Callable[[], object]) -> dict[str, float]:
    started, started_cpu = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    return {"per_second": count / seconds, "cpu_us": cpu / count * 1e6}


def _gateway(url: str) -> Any:
    config = Config(max_pool_connections=THREADS)
    return boto3.client("apigatewaymanagementapi", endpoint_url=url, config=config)


def _table(url: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=url)


def _is_gone(client: Any, one: str) -> bool:
    try:
        client.get_connection(ConnectionId=one)
        return False
    except client.exceptions.GoneException:
        return True


def _pages(table: Any) -> Iterator[list[dict[str, Any]]]:
    for page in table.get_paginator("scan").paginate(
        TableName=TABLE, ProjectionExpression="connectionId"
    ):
        yield page["Items"]


def _delete(table: Any, ids: list[str]) -> None:
    for start in range(0, len(ids), 25):
        requests = [
            {"DeleteRequest": {"Key": {"connectionId": {"S": one}}}}
            for one in ids[start : start + 25]
        ]
        table.batch_write_item(RequestItems={TABLE: requests})


if __name__ == "__main__":
    name, gateway_url, table_url, count = sys.argv[1:]
    print(json.dumps(globals()[name](gateway_url, table_url, int(count))))
