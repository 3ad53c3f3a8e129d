"""The reference application does what the reaper assumes of applications."""

from __future__ import annotations

import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.chat.handlers.authorizer import sign_token, user_of
from tests.support.cloud import TOKEN_SECRET
from tests.support.waiting import eventually


def test_a_message_is_stored_counted_and_heard_by_all(cloud, chat):
    clients = chat.connect(3)
    chat.run(clients[0].say("hello"))
    chat.listen_until(lambda: [client.received for client in clients] == [1, 1, 1])

    assert "hello" in {row["text"]["S"] for row in cloud.rows(chat.chat.messages_table)}
    counts = sorted(int(row["messageCount"]["N"]) for row in cloud.rows(chat.table))
    assert counts == [0, 0, 1]


def test_a_member_who_is_gone_keeps_the_message_from_nobody(cloud, chat):
    clients = chat.connect(2)
    gone = {"room": {"S": "lobby"}, "connectionId": {"S": "R0oXAdfD0kwCH6w="}}
    cloud.put(chat.chat.members_table, gone)
    chat.run(clients[0].say("hello"))
    chat.listen_until(lambda: [client.received for client in clients] == [1, 1])

    cloud.dynamodb.delete_item(TableName=chat.chat.members_table, Key=gone)


def test_a_message_stays_in_its_room(cloud, chat):
    here = chat.connect(2, room="here")
    there = chat.connect(1, room="there")
    chat.run(here[0].say("hello"))
    chat.listen_until(lambda: [client.received for client in here] == [1, 1])
    chat.listen(0.5)

    assert [client.received for client in (*here, *there)] == [1, 1, 0]


def test_a_pong_is_a_sign_of_life_but_no_message(cloud, chat):
    (client,) = chat.connect(1)
    (before,) = cloud.rows(chat.table)
    cloud.heartbeat(chat.endpoint, before["connectionId"]["S"])
    seen = int(before["lastSeenAt"]["N"])
    chat.listen_until(lambda: int(cloud.rows(chat.table)[0]["lastSeenAt"]["N"]) > seen)
    (after,) = cloud.rows(chat.table)

    assert client.heartbeats == 1
    assert int(after["lastSeenAt"]["N"]) > int(before["lastSeenAt"]["N"])
    assert after["messageCount"]["N"] == "0"


def test_who_says_goodbye_leaves_no_row_and_no_room(cloud, chat):
    (client,) = chat.connect(1)
    assert cloud.ids(chat.table) == cloud.ids(chat.chat.members_table) != set()
    chat.run(client.leave())
    eventually(lambda: not cloud.rows(chat.table))
    assert not cloud.rows(chat.chat.members_table)


def test_nobody_connects_without_a_token_of_ours(chat):
    url = chat.endpoint.replace("http://", "ws://")
    forged = sign_token("eve", "another secret altogether", time.time() + 60)
    expired = sign_token("eve", TOKEN_SECRET, time.time() - 1)

    async def refused(token: str) -> bool:
        try:
            await connect(f"{url}?token={token}")
        except InvalidStatus:
            return True
        return False

    assert all(chat.run(refused(token)) for token in (forged, expired, "nonsense"))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "ann", "ann.", "ann.x.y", "ann.99999999999", "ann.99999999999.bad"]
)
def test_a_malformed_token_names_nobody(token):
    assert user_of(token, TOKEN_SECRET, 0) is None
