"""DynamoDB's JSON, read without botocore's parser, which takes ten times as long."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import msgspec

from reaper.aws.json_bodies import UnreadableBody, read_json
from reaper.core.errors import TableError
from reaper.core.rows.items import Item, item_from_json

T = TypeVar("T")


class Unreadable(TableError):
    """What answered is not DynamoDB, or speaks another language than it does."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"an answer of the table API cannot be read ({why}): is there a proxy in between, or a"
            " wrong AWS_ENDPOINT_URL_DYNAMODB?"
        )


class Page(NamedTuple):
    """What a Scan brought. Its items stay JSON, a fifth of the size, until they are asked for."""

    unparsed_items: bytes
    next_key: Item | None
    """Where the next page starts; None after the last."""
    read_units: float

    @property
    def has_items(self) -> bool:
        return self.unparsed_items != b"[]"

    def items(self) -> list[Item]:
        """Raises Unreadable."""
        items = _decoded(_list_of_items, self.unparsed_items)
        return _with_bytes(items, self.unparsed_items)


class Batch(NamedTuple):
    """What a BatchGetItem brought."""

    items: list[Item]
    unprocessed_keys: list[Item]


def read_page(unparsed: bytes) -> Page:
    """Raises Unreadable."""
    body = _decoded(_scan_body, unparsed)
    next_key = body.LastEvaluatedKey
    if next_key is not None:
        (next_key,) = _with_bytes([next_key], unparsed)
    return Page(bytes(body.Items), next_key, body.ConsumedCapacity.get("CapacityUnits", 0.0))


def read_batch(unparsed: bytes, table_name: str) -> Batch:
    """Raises Unreadable."""
    body = _decoded(_batch_body, unparsed)
    items = body.Responses.get(table_name, [])
    unprocessed = body.UnprocessedKeys.get(table_name, {}).get("Keys", [])
    return Batch(_with_bytes(items, unparsed), _with_bytes(unprocessed, unparsed))


def _decoded(decoder: msgspec.json.Decoder[T], unparsed: bytes) -> T:
    try:
        return read_json(decoder, unparsed)
    except UnreadableBody as error:
        raise Unreadable(str(error)) from None


def _with_bytes(items: list[Item], unparsed: bytes) -> list[Item]:
    """Binary values are base64 in JSON. Few tables have any, and most bodies show that at once."""
    if b'"B' in unparsed and (b'"B"' in unparsed or b'"BS"' in unparsed):
        try:
            return [item_from_json(item) for item in items]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(repr(error)) from None
    return items


class _ScanBody(msgspec.Struct):
    Items: msgspec.Raw
    LastEvaluatedKey: Item | None = None
    ConsumedCapacity: dict[str, Any] = {}


class _BatchBody(msgspec.Struct):
    Responses: dict[str, list[Item]]
    UnprocessedKeys: dict[str, dict[str, Any]] = {}


_list_of_items = msgspec.json.Decoder(list[Item])
_scan_body = msgspec.json.Decoder(_ScanBody)
_batch_body = msgspec.json.Decoder(_BatchBody)
