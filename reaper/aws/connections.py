"""The table of connections: its keys, its pages, and the conditional delete.

This works below pynamodb's models, on items in wire form: a model would have to know every
attribute's type beforehand, and would lose those that it does not know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from reaper.core.model import AttributeValue, Item, Row
from reaper.core.rows import AttributePath, RowShape

MOST_CONNECTIONS = 32
"""Scan segments and deletes that run at once share them."""

READ_BATCH = 100
"""The most keys that one BatchGetItem takes."""


class TableError(Exception):
    """The table could not be used. The message names the cure."""


class AccessDenied(TableError):
    """The credentials lack a permission; the message names the action."""


class Deletion(Enum):
    DONE = "done"
    CHANGED = "changed"
    """The row was touched after it was read, so its connection may be a new one."""


class Page(NamedTuple):
    items: list[Item]
    next_key: Item | None
    """Where the next page starts; None after the last."""
    read_units: float


class ConnectionsTable:
    """A DynamoDB table, or one of its indexes, whose rows hold connections."""

    def __init__(self, name: str, index: str | None, region: str | None) -> None:
        self.name = name
        self.index = index
        self.region = region
        self._connection = Connection(
            region=region,
            connect_timeout_seconds=5,
            read_timeout_seconds=10,
            max_retry_attempts=4,
            max_pool_connections=MOST_CONNECTIONS,
        )
        self._description: dict[str, Any] = {}

    def describe(self) -> None:
        """Learn the key schema. Raises TableError if there is no such table or index."""
        with self._explained("DescribeTable"):
            self._description = self._connection.describe_table(self.name)
        if self.index is not None and self.index not in self.index_names:
            known = ", ".join(self.index_names) or "none"
            raise TableError(
                f"table {self.name} has no index {self.index}: correct REAPER_TABLE_INDEX"
                f" (there are: {known})"
            )

    @property
    def key_names(self) -> tuple[str, ...]:
        """Hash key, then range key if there is one."""
        schema = sorted(self._description["KeySchema"], key=lambda key: key["KeyType"])
        return tuple(key["AttributeName"] for key in schema)

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
    def projected(self) -> frozenset[str] | None:
        """The attributes that the scanned index holds; None where it holds them all."""
        if self.index is None:
            return None
        (index,) = (one for one in self._indexes if one["IndexName"] == self.index)
        projection = index["Projection"]
        if projection["ProjectionType"] == "ALL":
            return None
        keys = (key["AttributeName"] for key in index["KeySchema"])
        return frozenset((*self.key_names, *keys, *projection.get("NonKeyAttributes", ())))

    @property
    def row_estimate(self) -> int:
        """DynamoDB's own count, up to six hours old."""
        return int(self._description.get("ItemCount", 0))

    def scan_page(
        self,
        shape: RowShape | None,
        start_key: Item | None = None,
        segment: int = 0,
        segments: int = 1,
        limit: int | None = None,
    ) -> Page:
        """One page of a segment, with the attributes that ``shape`` needs, or all of them."""
        attributes = None if shape is None else [_path(path) for path in shape.needed]
        with self._explained("Scan"):
            data = self._connection.scan(
                self.name,
                attributes_to_get=attributes,
                exclusive_start_key=cast(Any, start_key),
                segment=segment,
                total_segments=segments,
                index_name=self.index,
                limit=limit,
            )
        units = data.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        return Page(data["Items"], data.get("LastEvaluatedKey"), float(units))

    def read(self, keys: Sequence[Item]) -> list[Item]:
        """The whole rows with these keys as they are now; those that are gone are left out."""
        items: list[Item] = []
        # A scan may show a row twice that moves meanwhile; a batch may not name a key twice.
        unique = list({str(key): key for key in keys}.values())
        for start in range(0, len(unique), READ_BATCH):
            wanted = unique[start : start + READ_BATCH]
            pause_seconds = 0.0
            while wanted:
                time.sleep(pause_seconds)
                pause_seconds = min(2.0, 2 * pause_seconds + 0.1)
                with self._explained("BatchGetItem"):
                    data = self._connection.batch_get_item(
                        self.name, cast(Any, wanted), consistent_read=True
                    )
                items += data["Responses"].get(self.name, [])
                wanted = data.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        return items

    def delete(self, row: Row, watched: Sequence[AttributePath]) -> Deletion:
        """Delete ``row`` if its watched attributes are still what they were when it was read."""
        return self._delete_if(row.key, _unchanged(row, watched))

    def impossible_key(self) -> Item:
        """A well-formed key that no row has."""
        types = {
            definition["AttributeName"]: definition["AttributeType"]
            for definition in self._description["AttributeDefinitions"]
        }
        nobody: dict[str, Any] = {"S": "reaper-check-nobody", "N": "-9.87e99", "B": b"\0reaper"}
        return {name: {types[name]: nobody[types[name]]} for name in self.key_names}

    def try_delete(self, key: Item) -> None:
        """Ask to delete a row that does not exist, to learn whether it would be allowed."""
        self._delete_if(key, Path([self.key_names[0]]).exists())

    def _delete_if(self, key: Item, condition: Condition) -> Deletion:
        hash_value, *range_value = (next(iter(key[name].values())) for name in self.key_names)
        try:
            with self._explained("DeleteItem"):
                self._connection.delete_item(
                    self.name,
                    hash_value,
                    range_value[0] if range_value else None,
                    condition=condition,
                )
        except _ConditionFailed:
            return Deletion.CHANGED
        return Deletion.DONE

    @contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        try:
            yield
        except TableDoesNotExist:
            raise self._no_such_table() from None
        except PynamoDBException as error:
            raise self._explain(operation, error.cause or error) from None
        except (BotoCoreError, ClientError) as error:
            raise self._explain(operation, error) from None

    def _explain(self, operation: str, error: Exception) -> Exception:
        # botocore's errors of the connection have a response too, and it is None.
        response = (getattr(error, "response", None) or {}).get("Error", {})
        match response.get("Code"):
            case "ConditionalCheckFailedException":
                return _ConditionFailed()
            case "AccessDeniedException":
                return AccessDenied(
                    f"dynamodb:{operation} on table {self.name} is not granted to these"
                    " credentials: add it to the role's policy"
                )
            case "ResourceNotFoundException":
                return self._no_such_table()
            case None:
                return TableError(f"{operation} on table {self.name} failed: {error}")
            case code:
                return TableError(
                    f"{operation} on table {self.name} failed:"
                    f" {code}: {response.get('Message', '')}"
                )

    def _no_such_table(self) -> TableError:
        return TableError(
            f"there is no table {self.name} in Region {self.region}: correct REAPER_TABLE_NAME,"
            " or AWS_REGION if the table is in another Region"
        )


class _ConditionFailed(Exception):
    """The row is not, or no longer, what the condition says."""


def _path(path: AttributePath) -> Path:
    return Path(list(path))


def _unchanged(row: Row, watched: Sequence[AttributePath]) -> Condition:
    """The row still holds the same connection and nothing has touched it since it was read."""
    condition: Condition | None = None
    for path, value in zip(watched, row.watched, strict=True):
        one = _holds(path, value)
        condition = one if condition is None else condition & one
    assert condition is not None
    return condition


def _holds(path: AttributePath, value: AttributeValue | None) -> Condition:
    return _path(path).does_not_exist() if value is None else _path(path) == value
