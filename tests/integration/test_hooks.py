"""On-evict hooks: the application hears of a reaped connection before its row goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import function
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import LIVING, living, zombie

FAILS = "def handler(event, context):\n    raise ValueError('not today')\n"
ANSWERS_500 = "def handler(event, context):\n    return {'statusCode': 500}\n"


@pytest.fixture(scope="session")
def events(cloud) -> Callable[[], list[dict]]:
    """A bus whose events end in a queue; calling it returns what has come since the last call."""
    session, url = cloud.session, cloud.standin.url
    bus = session.client("events", endpoint_url=url)
    sqs = session.client("sqs", endpoint_url=url)
    bus.create_event_bus(Name="reaped")
    queue = sqs.create_queue(QueueName="reaped")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    bus.put_rule(Name="all", EventBusName="reaped", EventPattern='{"source": ["apigw-reaper"]}')
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    bus.put_targets(Rule="all", EventBusName="reaped", Targets=[target])

    def arrived() -> list[dict]:
        got = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            got += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return got

    return arrived


def test_members_of_a_room_leave_it_when_their_connection_is_reaped(cloud, chat):
    clients = chat.connect(3, room="blue")
    live = cloud.ids(chat.table)
    dead = {"connectionId": {"S": "R0oXAdfD0kwCH6w="}, "room": {"S": "blue"}}
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w=", room={"S": "blue"}))
    cloud.put(chat.chat.members_table, dead)
    environment = cloud.environment(
        chat.table,
        chat.endpoint,
        REAPER_FRESH_SECONDS="0",
        REAPER_ON_EVICT_LAMBDA=chat.chat.disconnect_function,
    )
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"], done.report["changed"]) == (0, 1, 0)
    assert cloud.ids(chat.table) == cloud.ids(chat.chat.members_table) == live
    assert [json.loads(line)["audit"] for line in done.stdout.splitlines() if "audit" in line] == [
        "evict"
    ]
    assert all(client.is_open for client in clients)


def test_the_function_gets_the_event_that_it_never_got(cloud):
    """It writes what it was given where the test can read it."""
    notes = cloud.make_table(("id", "S"))
    code = (
        "import boto3, json, os\n"
        "def handler(event, context):\n"
        "    item = {'id': {'S': event['requestContext']['connectionId']},"
        " 'event': {'S': json.dumps(event)}}\n"
        "    boto3.client('dynamodb').put_item(TableName=os.environ['TABLE'], Item=item)\n"
        "    return {'statusCode': 200}\n"
    )
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z="), *living())
    with FaultyGateway({"z=": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_ON_EVICT_LAMBDA=function(cloud, code, notes)
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.report["evicted"] == 1
    (note,) = cloud.rows(notes)
    event = json.loads(note["event"]["S"])
    context = event["requestContext"]
    assert event["synthetic"] is True
    assert context["routeKey"] == "$disconnect"
    assert (context["eventType"], context["connectionId"]) == ("DISCONNECT", "z=")
    assert context["disconnectStatusCode"] == 1006
    assert "zombie" in context["disconnectReason"]
    assert abs(context["connectedAt"] / 1000 - (time.time() - 600)) < 60
    assert {"apiId", "stage", "domainName", "requestId", "requestTimeEpoch"} <= set(context)


@pytest.mark.parametrize("code", [FAILS, ANSWERS_500, ANSWERS_500.replace("500", "'500'")])
def test_a_row_stays_when_its_function_fails(cloud, code):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_ON_EVICT_LAMBDA=function(cloud, code)
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"], done.report["failed"]) == (1, 0, 1)
    assert cloud.ids(table) == {"z", *LIVING}
    audit = [json.loads(line)["audit"] for line in done.stdout.splitlines() if "audit" in line]
    assert audit == ["evict", "kept"]
    assert "evictions failed" in done.stderr


def test_a_function_that_is_not_there_is_named(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_ON_EVICT_LAMBDA="nobody")
        done = cloud.reaper("sweep", "--json", environment=environment)
        checked = cloud.reaper("check", environment=environment)

    assert (done.code, done.report["failed"]) == (1, 1)
    assert "correct REAPER_ON_EVICT_LAMBDA" in done.stderr
    assert "correct REAPER_ON_EVICT_LAMBDA" in checked.stdout
    assert cloud.ids(table) == {"z", *LIVING}


def test_an_event_for_every_eviction_is_put_on_the_bus(cloud, events):
    table = cloud.make_table(("connectionId", "S"))
    gone = {f"z{n:02}": faults.gone for n in range(15)}
    cloud.put(table, *(zombie(name) for name in gone), *(zombie(f"live{n}") for n in range(20)))
    with FaultyGateway(gone) as server:
        environment = cloud.environment(table, server.url, REAPER_ON_EVICT_EVENT_BUS="reaped")
        done = cloud.reaper("sweep", "--json", environment=environment)
        checked = cloud.reaper("check", environment=environment)
        assert checked.code == 0, checked.stdout

    assert done.report["evicted"] == 15
    arrived = events()
    assert {event["detail"]["connectionId"] for event in arrived} == set(gone)
    event = arrived[0]
    assert event["detail-type"] == "WebSocket Connection Reaped"
    assert (
        event["detail"] | {"reason": "gone", "tableName": table, "version": "1"}
        == (event["detail"])
    )


def test_a_bus_that_is_not_there_is_told_and_no_row_goes(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_ON_EVICT_EVENT_BUS="nobody")
        checked = cloud.reaper("check", environment=environment)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert checked.code == 1
    assert "correct REAPER_ON_EVICT_EVENT_BUS" in checked.stdout
    assert (done.code, done.report["failed"], cloud.ids(table)) == (1, 1, {"z", *LIVING})


def test_the_row_may_be_left_to_the_hook(cloud, events):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(
            table, server.url, REAPER_ON_EVICT_EVENT_BUS="reaped", REAPER_EVICT_ACTION="hook"
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"]) == (0, 1)
    assert cloud.ids(table) == {"z", *LIVING}
    assert [event["detail"]["connectionId"] for event in events()] == ["z"]


def test_a_binary_key_can_be_told_of(cloud, events):
    table = cloud.make_table(("id", "B"))
    cloud.put(table, *(zombie(n, id={"B": n.encode()}) for n in ("z", *LIVING)))
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_ON_EVICT_EVENT_BUS="reaped")
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"]) == (0, 1)
    assert [event["detail"]["key"] for event in events()] == [{"id": {"B": "eg=="}}]


def test_a_dry_run_calls_nobody(cloud, events):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("z"), *living())
    with FaultyGateway({"z": faults.gone}) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_ON_EVICT_EVENT_BUS="reaped",
            REAPER_ON_EVICT_LAMBDA=function(cloud, FAILS),
        )
        done = cloud.reaper("sweep", "--dry-run", "--json", environment=environment)

    assert (done.code, done.report["evicted"], events()) == (0, 1, [])
