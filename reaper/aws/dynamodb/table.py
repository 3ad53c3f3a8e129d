"""A DynamoDB table: what it looks like, what it holds, and its errors in words that help.

This works below pynamodb's models, on items in wire form: a model would have to know every
attribute's type beforehand, and would lose those that it does not know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import botocore.session
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist

from reaper.aws.dynamodb.calls import MAX_ATTEMPTS, Calls, DynamoApi, pause_seconds
from reaper.aws.dynamodb.conditions import ConditionFailed
from reaper.aws.dynamodb.endless import Endless, PageTrail
from reaper.aws.dynamodb.readiness import check_ready
from reaper.aws.dynamodb.wire import read_batch, read_page
from reaper.aws.service_errors import (
    AWS_FAULTS,
    NOT_ITS_OWN,
    error_response,
    refused_or_failed,
    skew_of,
)
from reaper.aws.session import endpoint_of
from reaper.aws.transport.http import HttpClient
from reaper.core.errors import PartitionTooLarge, TableError, TableUnfit
from reaper.core.iam import TableId
from reaper.core.rows.items import Item, identity
from reaper.core.rows.shape import IndexFacts, TableFacts

MAX_CONNECTIONS = 32
"""Those removals that botocore does share them."""

READ_TIMEOUT_SECONDS = 10

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""DynamoDB sends 1 MB of a table at a time, or 16 MB of rows that were named one by one, and its
JSON takes up to four times as much."""

MAX_PARTITION_PAGES = 16
"""Of 1 MB. As much of a partition is held in memory while its connection is evicted."""

READ_BATCH = 100
"""The most keys that one BatchGetItem takes."""

_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)

_PERMISSIONS = {"TransactWriteItems": "ConditionCheckItem and dynamodb:DeleteItem"}
"""Where an operation's permission does not have its name."""


class _SessionsConnection(Connection):
    """pynamodb's connection, with the session's credentials instead of others of its own."""

    def __init__(self, session: botocore.session.Session, **settings: Any) -> None:
        super().__init__(**settings)
        self._session = session

    @property
    def session(self) -> botocore.session.Session:
        return self._session


class DynamoTable:
    """A table, or one of its indexes."""

    def __init__(
        self,
        table: TableId,
        index: str | None,
        region: str | None,
        session: botocore.session.Session,
        new_client: Callable[[], HttpClient],
    ) -> None:
        """``new_client`` makes one that signs for DynamoDB; each is used by one thread at a time.

        They are for what botocore would be too slow for.
        """
        self.name = table.name
        self._arn_wanted = table.arn
        self.index = index
        self.region = region
        self._connection = _SessionsConnection(
            session,
            region=region,
            connect_timeout_seconds=5,
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
            max_retry_attempts=4,
            max_pool_connections=MAX_CONNECTIONS,
        )
        self._new_client = new_client
        self._clients: list[HttpClient] = []
        self._description: dict[str, Any] = {}
        self.key_names: tuple[str, ...] = ()
        """Hash key, then range key if there is one; known once the table is described."""

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def describe(self) -> TableFacts:
        """Ask what it is like. Raises TableError if it cannot be used, or has no such index."""
        with self.explained("DescribeTable"):
            try:
                self._description = self._connection.describe_table(self.name)
                self._description["KeySchema"], self._description["AttributeDefinitions"]
            except (AttributeError, KeyError, TypeError):
                what = f"dynamodb:DescribeTable on table {self.name}"
                raise TableError(f"{what} failed: {NOT_ITS_OWN}") from None
        check_ready(self._description, self.name, self._arn_wanted)
        schema = sorted(self._description["KeySchema"], key=lambda key: key["KeyType"])
        self.key_names = tuple(key["AttributeName"] for key in schema)
        if self.index is not None and self.index not in self.index_names:
            known = ", ".join(self.index_names) or "none"
            raise TableUnfit(
                f"table {self.name} has no index {self.index}",
                f"correct REAPER_TABLE_INDEX (there are: {known})",
            )
        return self.facts

    @property
    def facts(self) -> TableFacts:
        """What it is like, as it was described last."""
        return TableFacts(self.name, self.key_names, self.partition_key, self.projected)

    @cached_property
    def _calls(self) -> Calls:
        return Calls(self._new_api())

    @cached_property
    def _scan_api(self) -> DynamoApi:
        return self._new_api()

    def _new_api(self) -> DynamoApi:
        client = self._new_client()
        self._clients.append(client)
        return DynamoApi(client, endpoint_of(self._connection.client), self._error)

    @property
    def arn(self) -> str:
        return str(self._description["TableArn"])

    @property
    def indexes(self) -> list[IndexFacts]:
        return [
            IndexFacts(
                index["IndexName"],
                tuple(key["AttributeName"] for key in index["KeySchema"]),
                index["Projection"]["ProjectionType"] == "ALL",
            )
            for index in self._indexes
        ]

    @property
    def index_keys(self) -> set[str]:
        """Attributes that are keys of some index, and none of the table."""
        return {name for one in self.indexes for name in one.key_names} - set(self.key_names)

    @property
    def index_names(self) -> list[str]:
        return [index["IndexName"] for index in self._indexes]

    @property
    def _indexes(self) -> list[dict[str, Any]]:
        return [
            *self._description.get("GlobalSecondaryIndexes", []),
            *self._description.get("LocalSecondaryIndexes", []),
        ]

    @property
    def _index(self) -> dict[str, Any]:
        (index,) = (one for one in self._indexes if one["IndexName"] == self.index)
        return index

    @property
    def projected(self) -> frozenset[str] | None:
        """The attributes that the scanned index holds; None where it holds them all."""
        if self.index is None:
            return None
        projection = self._index["Projection"]
        if projection["ProjectionType"] == "ALL":
            return None
        keys = (key["AttributeName"] for key in self._index["KeySchema"])
        return frozenset((*self.key_names, *keys, *projection.get("NonKeyAttributes", ())))

    @property
    def partition_key(self) -> str:
        """By which rows are placed in what is scanned: the table, or its index."""
        schema = (self._description if self.index is None else self._index)["KeySchema"]
        (name,) = (key["AttributeName"] for key in schema if key["KeyType"] == "HASH")
        return str(name)

    @property
    def row_estimate(self) -> int:
        """DynamoDB's own count, up to six hours old."""
        return int(self._description.get("ItemCount", 0))

    def read(self, keys: Sequence[Item]) -> list[Item]:
        """The whole rows with these keys as they are now; those that are gone are left out."""
        items: list[Item] = []
        # A scan may show a row twice that moves meanwhile; a batch may not name a key twice.
        wanted = list({identity(key): key for key in keys}.values())
        rounds_in_vain = 0
        while wanted:
            if rounds_in_vain == MAX_ATTEMPTS:
                raise Endless(
                    f"BatchGetItem on table {self.name}",
                    f"{len(wanted)} keys came back as UnprocessedKeys {rounds_in_vain} times",
                )
            if rounds_in_vain:
                time.sleep(pause_seconds(rounds_in_vain))
            chunks = [wanted[n : n + READ_BATCH] for n in range(0, len(wanted), READ_BATCH)]
            asked, wanted = len(wanted), []
            for result in self._calls.make("BatchGetItem", [self._batch(keys) for keys in chunks]):
                if isinstance(result, Exception):
                    raise result
                batch = read_batch(result, self.name)
                items += batch.items
                wanted += batch.unprocessed_keys
            rounds_in_vain = 0 if len(wanted) < asked else rounds_in_vain + 1
        return items

    def _batch(self, keys: list[Item]) -> dict[str, Any]:
        return {"RequestItems": {self.name: {"Keys": keys, "ConsistentRead": True}}}

    def read_partition(self, key: Item) -> list[Item]:
        """Every whole row that shares the partition key of ``key``."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "#key = :key",
            "ExpressionAttributeNames": {"#key": self.key_names[0]},
            "ExpressionAttributeValues": {":key": key[self.key_names[0]]},
            "ConsistentRead": True,
        }
        items: list[Item] = []
        trail = PageTrail(f"Query of a partition of table {self.name}")
        while True:
            page = read_page(self._call("Query", request))
            items += page.items()
            if page.next_key is None:
                return items
            trail.note(page.next_key, has_items=page.has_items)
            if trail.pages == MAX_PARTITION_PAGES:
                raise PartitionTooLarge(
                    f"a partition of table {self.name} is larger than {MAX_PARTITION_PAGES} MB, and"
                    " no connection has so many rows",
                    "set REAPER_EVICT_SCOPE=row if that is what fits this table",
                )
            request["ExclusiveStartKey"] = page.next_key

    def _call(self, operation: str, request: dict[str, Any]) -> bytes:
        """The body of the answer. Raises TableError, or ConditionFailed."""
        (result,) = self._calls.make(operation, [request])
        if isinstance(result, Exception):
            raise result
        return result

    def impossible_key(self) -> Item:
        """A well-formed key that no row has."""
        types = {
            definition["AttributeName"]: definition["AttributeType"]
            for definition in self._description["AttributeDefinitions"]
        }
        nobody: dict[str, Any] = {"S": "reaper-check-nobody", "N": "-9.87e99", "B": b"\0reaper"}
        return {name: {types[name]: nobody[types[name]]} for name in self.key_names}

    def key_of(self, item: Item) -> Item:
        """The primary key of a row."""
        return {name: item[name] for name in self.key_names}

    def key_values(self, key: Item) -> tuple[Any, Any]:
        """Hash and range value; None where there is no range key."""
        hash_value, *range_value = (next(iter(key[name].values())) for name in self.key_names)
        return hash_value, range_value[0] if range_value else None

    @contextmanager
    def explained(self, operation: str) -> Iterator[None]:
        """Raises TableError in place of whatever pynamodb or botocore raise, or ConditionFailed."""
        try:
            yield
        except TableDoesNotExist:
            raise self._no_such_table() from None
        except PynamoDBException as error:
            raise self._explain(operation, error.cause or error) from None
        except AWS_FAULTS as error:
            raise self._explain(operation, error) from None

    def _explain(self, operation: str, error: Exception) -> Exception:
        answer = error_response(error)
        code = answer.get("Code", "")
        if code == "ConditionalCheckFailedException" or (
            code == "TransactionCanceledException" and _is_condition_failed(error)
        ):
            return ConditionFailed()
        message = answer.get("Message", "") if code else str(error)
        return self._error(operation, code, message, skew_of(error))

    def _error(
        self, operation: str, code: str, message: str, skew_seconds: float | None = None
    ) -> TableError:
        """What DynamoDB answered, with the cure; ``code`` is empty where no answer came."""
        if code == "ResourceNotFoundException":
            return self._no_such_table()
        permission = f"dynamodb:{_PERMISSIONS.get(operation, operation)}"
        return refused_or_failed(
            code,
            message,
            f"{permission} on table {self.name}",
            permission,
            TableError,
            _cure_of(operation, code),
            skew_seconds,
        )

    def _no_such_table(self) -> TableError:
        return TableError(
            f"there is no table {self.name} in Region {self.region}",
            "correct REAPER_TABLE_NAME, or AWS_REGION if the table is in another Region; one that"
            " is being re-created is found again by itself",
        )


def _cure_of(operation: str, code: str) -> str:
    if code not in _THROTTLED:
        return ""
    if operation == "DescribeTable":
        return (
            "wait, it is tried again by itself; if it lasts, something in this account calls"
            " DescribeTable, or another control-plane operation, too often"
        )
    return (
        "wait, it is tried again by itself; if it lasts, raise the table's capacity, or limit what"
        " the scan takes of it with REAPER_SCAN_MAX_RCU"
    )


def _is_condition_failed(error: Exception) -> bool:
    reasons = getattr(error, "cancellation_reasons", [])  # pynamodb's own, on botocore's error
    return any(reason and reason.code == "ConditionalCheckFailed" for reason in reasons)
