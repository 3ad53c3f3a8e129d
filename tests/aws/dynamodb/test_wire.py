"""Answers of DynamoDB are read as botocore reads them, only faster."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.aws.dynamodb.conditions import unchanged
from reaper.aws.dynamodb.requests import DeleteRequests
from reaper.aws.dynamodb.wire import Page, read_batch, read_page
from reaper.core.errors import TableError
from reaper.core.rows.shape import RowShape
from tests.support.builders import a_row

values = st.recursive(
    st.builds(lambda text: {"S": text}, st.text())
    | st.builds(lambda number: {"N": str(number)}, st.integers())
    | st.builds(lambda data: {"B": data}, st.binary())
    | st.builds(lambda many: {"BS": many}, st.lists(st.binary(), min_size=1))
    | st.just({"NULL": True})
    | st.just({"BOOL": False}),
    lambda inner: (
        st.builds(lambda held: {"L": held}, st.lists(inner, max_size=3))
        | st.builds(lambda held: {"M": held}, st.dictionaries(st.text(), inner, max_size=3))
    ),
    max_leaves=6,
)
items = st.dictionaries(st.text(min_size=1), values, max_size=4)


def as_json(held: object) -> bytes:
    """As DynamoDB writes it: binary values in base64."""
    return json.dumps(held, default=lambda data: base64.b64encode(data).decode()).encode()


@given(page=st.lists(items, max_size=4), next_key=st.none() | items)
def test_a_page_is_what_was_stored(page, next_key):
    answer = {"Items": page, "Count": len(page), "ConsumedCapacity": {"CapacityUnits": 2.5}}
    if next_key is not None:
        answer["LastEvaluatedKey"] = next_key
    found = read_page(as_json(answer))

    assert found.items() == page
    assert found.next_key == next_key
    assert found.read_units == 2.5


@given(found=st.lists(items, max_size=4), left=st.lists(items, max_size=2))
def test_a_batch_is_what_was_stored_and_what_is_still_to_be_read(found, left):
    answer = {"Responses": {"t": found}, "UnprocessedKeys": {"t": {"Keys": left}} if left else {}}

    assert read_batch(as_json(answer), "t") == (found, left)


def test_an_answer_that_does_not_say_what_it_cost_costs_nothing():
    assert read_page(b'{"Items":[],"Count":0}') == Page(b"[]", None, 0.0)


SHAPE = RowShape(
    key_names=("room", "seat"),
    connection_id=("socket", "connection-id"),
    connected_at=("connectedAt",),
    last_seen_at=("lastSeenAt",),
    message_count=("messageCount",),
    endpoint=(("domainName",), ("stage",)),
)


@pytest.mark.parametrize("absent", [(), ("lastSeenAt",), ("connectedAt", "stage", "messageCount")])
def test_a_delete_carries_the_condition_that_pynamodb_writes_and_the_rows_own_values(absent):
    requests = DeleteRequests("t")
    for number in ("1", "2"):
        item = {
            "room": {"S": "lobby"},
            "seat": {"N": number},
            "socket": {"M": {"connection-id": {"S": f"abc{number}="}}},
            "connectedAt": {"N": f"179550000{number}"},
            "lastSeenAt": {"S": f"2026-11-24T07:44:2{number}Z"},
            "messageCount": {"N": number},
            "domainName": {"S": "ws.example.com"},
            "stage": {"S": "prod"},
        }
        row = a_row()._replace(
            shape=SHAPE, item={name: item[name] for name in item if name not in absent}
        )
        request = requests.of(row)
        placeholders, values = {}, {}
        expression = unchanged(row).serialize(placeholders, values)

        assert request["Key"] == {"room": {"S": "lobby"}, "seat": {"N": number}}
        assert request["ConditionExpression"] == expression
        assert request["ExpressionAttributeValues"] == values
        assert request["ExpressionAttributeNames"] == {
            placeholder: name for name, placeholder in placeholders.items()
        }


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"\xff",
        b"[]",
        b'{"Items": {}}',
        b'{"Items": [{"a": {"S": "\xff"}}]}',
        b'{"Items": [{"a": {"B": 1}}]}',
        b'{"Items": ' + b"[" * 5000,
        b'{"Items": [{"a": ' + b'{"L": [' * 5000 + b"]}" * 5000 + b"}]}",
    ],
)
def test_a_page_that_is_not_dynamodbs_is_a_fault_of_the_table(body):
    with pytest.raises(TableError, match="is there a proxy in between"):
        read_page(body).items()


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b'{"Responses": {"t": [{"B": 1}]}}'])
def test_so_is_a_batch(body):
    with pytest.raises(TableError, match="is there a proxy in between"):
        read_batch(body, "t")


def test_the_template_of_a_condition_is_for_one_shape_only():
    requests = DeleteRequests("t")
    item = {"id": {"S": "abc="}, "connectedAt": {"N": "1"}, "lastSeenAt": {"N": "2"}}
    for held in ("connectedAt", "lastSeenAt"):
        shape = RowShape(
            key_names=("id",),
            connection_id=("id",),
            connected_at=("connectedAt",),
            last_seen_at=("lastSeenAt",),
            message_count=("messageCount",),
            projected=frozenset({"id", held}),
        )
        request = requests.of(a_row()._replace(shape=shape, item=item))
        assert set(request["ExpressionAttributeNames"].values()) == {"id", held}
