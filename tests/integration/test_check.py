"""``reaper check``: what rows hold is recognised, and each fault comes with its cure."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from reaper.core.segments import Segment
from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import item, zombie


def lines(done) -> list[str]:
    return done.stdout.splitlines()


def test_what_the_attributes_hold_is_said_in_numbers(cloud):
    table = cloud.make_table(("connectionId", "S"))
    seen = {"lastSeenAt": {"S": "2026-11-24T07:44:26Z"}}
    cloud.put(table, *(zombie(f"c{n:04}", **(seen if n % 4 else {})) for n in range(1200)))
    with FaultyGateway() as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert done.code == 0, done.stdout
    assert "✓ connectionId: a connection id in 1,000 of 1,000 rows" in lines(done)
    assert "✓ connectedAt: epoch milliseconds, 1,000 of 1,000 rows" in lines(done)
    assert any(line.startswith("✓ lastSeenAt: ISO 8601, 7") for line in lines(done))


def test_an_expiry_is_no_time_of_connection(cloud):
    table = cloud.make_table(("connectionId", "S"))
    expiry = {"N": str(int(time.time()) + 7200)}
    cloud.put(table, *(zombie(f"c{n}", ttl=expiry) for n in range(4)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_CONNECTED_AT_ATTRIBUTE="ttl")
        done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "✗ ttl: a time in the future, 4 of 4 rows: what makes no sense" in done.stdout


def test_a_living_connection_that_is_days_old_gives_the_wrong_attribute_away(cloud):
    table = cloud.make_table(("connectionId", "S"))
    signed_up = {"S": "2026-01-01T00:00:00Z"}
    cloud.put(table, *(zombie(f"c{n}", connectedAt=signed_up) for n in range(3)))
    with FaultyGateway() as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert done.code == 1
    assert "✗ connectedAt: 3 living rows are all off by" in done.stdout
    assert "from when the gateway saw them connect" in done.stdout


def test_living_rows_that_are_all_off_by_the_same_come_with_the_variable_that_mends_it(cloud):
    table = cloud.make_table(("connectionId", "S"))
    local = datetime.now(UTC) - timedelta(minutes=10, hours=5)
    there = {"S": local.replace(tzinfo=None).isoformat()}
    cloud.put(table, *(zombie(f"c{n}", connectedAt=there) for n in range(4)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url)
        done = cloud.reaper("check", environment=environment)
        mended = environment | {"REAPER_TIME_ZONE": "-05:00"}
        then = cloud.reaper("check", environment=mended)

    assert done.code == 1
    assert "✗ connectedAt: 4 living rows are all off by 18,000 s" in done.stdout
    assert "set REAPER_TIME_ZONE=-05:00" in done.stdout
    assert then.code == 0, then.stdout
    assert "✓ connectedAt: living rows agree with the gateway" in then.stdout


OF_AWS = "https://abc123.execute-api.us-east-1.amazonaws.com/prod"
IDS = [f"R0oXAdfD0kwCH{n}w=" for n in range(4)]


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ([f"CONN#{one}" for one in IDS], "REAPER_CONNECTION_ID_PATTERN='CONN#("),
        ([one.lower() for one in IDS], "4 of 4 ids have letters of one case only"),
        (
            ["__count__", *IDS],
            "the other 1 count as malformed and are left alone, such as `__count",
        ),
    ],
)
def test_ids_that_api_gateway_cannot_have_issued_are_told(cloud, stored, told):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(one) for one in stored))
    environment = cloud.environment(table, OF_AWS, REAPER_PROBE_TIMEOUT_SECONDS="0.3")
    done = cloud.reaper("check", environment=environment)

    assert told in done.stdout
    assert "--trust-endpoint" not in done.stdout + done.stderr


def test_rows_of_other_kinds_never_make_it_red(cloud):
    table = cloud.make_table(("connectionId", "S"))
    others = [item(connectionId=f"USER#{n}", connectedAt="last spring") for n in range(6)]
    own = [item(connectionId=f"CONN#c{n}") for n in range(4)]
    cloud.put(table, *others, *own)
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_CONNECTION_ID_PATTERN="CONN#(.+)")
        done = cloud.reaper("check", environment=environment)

    assert done.code == 0, done.stdout
    assert "✓ connectionId: a connection id in 4 of 4 rows" in lines(done)
    assert not [line for line in lines(done) if line.startswith("✗")]


def test_the_youngest_are_asked_so_that_old_zombies_do_not_hide_the_living(cloud):
    table = cloud.make_table(("connectionId", "S"))
    old = {"N": str(int((time.time() - 7000) * 1000))}
    zombies = [f"z{n:02}" for n in range(60)]
    cloud.put(table, *(zombie(name, connectedAt=old) for name in zombies), zombie("live"))
    with FaultyGateway(dict.fromkeys(zombies, faults.gone)) as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert done.code == 0, done.stdout
    assert "✓ of 20 sampled connections 1 are alive and 19 are gone" in lines(done)


@pytest.mark.parametrize(
    ("settings", "permissions"),
    [
        ({}, ["GET", "POST"]),
        ({"REAPER_HEARTBEAT_MODE": "off"}, ["GET"]),
        ({"REAPER_PONG_TIMEOUT_SECONDS": "5"}, ["GET", "POST", "DELETE"]),
    ],
)
def test_each_missing_method_comes_with_the_statement_that_grants_it(cloud, settings, permissions):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    with FaultyGateway(default=faults.denied) as server:
        endpoint = f"{server.url.removesuffix('/prod')}/_aws/execute-api/abc123/prod"
        done = cloud.reaper("check", environment=cloud.environment(table, endpoint, **settings))

    assert done.code == 1
    for method in ("GET", "POST", "DELETE"):
        resource = f"arn:aws:execute-api:us-east-1:*:abc123/prod/{method}/@connections/*"
        grant = json.dumps(
            {
                "Effect": "Allow",
                "Action": "execute-api:ManageConnections",
                "Resource": resource,
            }
        )
        assert (grant in done.stdout) == (method in permissions)


def test_it_changes_nothing_whatever_is_set(cloud, chat):
    chat.connect(2)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    before = cloud.rows(chat.table), cloud.rows(chat.chat.members_table)
    for settings in (
        {"REAPER_ON_EVICT_LAMBDA": chat.chat.disconnect_function},
        {"REAPER_PONG_TIMEOUT_SECONDS": "5", "REAPER_EVICT_SCOPE": "partition"},
    ):
        environment = cloud.environment(chat.table, chat.endpoint, **settings)
        done = cloud.reaper("check", environment=environment)
        assert done.code == 0, done.stdout
    assert (cloud.rows(chat.table), cloud.rows(chat.chat.members_table)) == before


def test_the_ids_of_some_other_attribute_are_recognised(cloud):
    table = cloud.make_table(("pk", "S"))
    cloud.put(table, *(item(pk=f"CONN#R0oXAdfD0kwCH{n}w=", who="ann") for n in range(3)))
    with FaultyGateway() as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert done.code == 1
    assert (
        "✗ connectionId: no connection id in any of 3 rows, which hold connectedAt, pk, who: set"
        in (done.stdout)
    )
    assert "set REAPER_CONNECTION_ID_ATTRIBUTE=pk REAPER_CONNECTION_ID_PATTERN='CONN#(" in (
        done.stdout
    )
    assert lines(done)[-1].startswith("not ready: 1 to be mended (✗). `reaper discover")


def test_ids_in_a_set_of_another_name_are_recognised_too(cloud):
    table = cloud.make_table(("room", "S"))
    cloud.put(table, item(room="lobby", members={"SS": ["R0oXAdfD0kwCH6w="]}))
    with FaultyGateway() as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert "set REAPER_CONNECTION_ID_ATTRIBUTE='members[]'" in done.stdout


def test_pongs_that_no_row_can_show_are_told(cloud):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_PONG_TIMEOUT_SECONDS="5")
        done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "✗ lastSeenAt or messageCount: in no sampled row" in done.stdout


@pytest.mark.parametrize(("audit_log", "told"), [("/nope/x", "no directory"), ("/", "directory")])
def test_an_audit_log_that_cannot_be_written_is_told(cloud, audit_log, told):
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=audit_log)
        done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "✗ REAPER_AUDIT_LOG" in done.stdout
    assert told in done.stdout


def test_a_throttled_account_is_not_mistaken_for_a_wrong_endpoint(cloud):
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway(default=faults.throttled) as server:
        done = cloud.reaper("check", environment=cloud.environment(table, server.url))

    assert "the account's throttle is exhausted" in done.stdout


def findings_of_queue(cloud, lone_api, url: str) -> list[str]:
    table = cloud.make_table(("connectionId", "S"))
    done = cloud.reaper(
        "check", environment=cloud.environment(table, lone_api, REAPER_QUEUE_URL=url)
    )
    words = ("queue", "sqs:", "given up")
    return [line for line in done.stdout.splitlines() if any(word in line for word in words)]


def test_a_work_queue_that_is_as_it_should_be(cloud, lone_api):
    queue = cloud.make_queue(visibility_seconds=60)
    assert findings_of_queue(cloud, lone_api, queue.url) == [
        "✓ sqs:GetQueueAttributes is granted",
        "✓ sqs:SendMessage is granted",
        "✓ sqs:ReceiveMessage is granted",
        "✓ sqs:ChangeMessageVisibility is granted",
        "✓ sqs:DeleteMessage is granted",
        "✓ the segments of a worker that dies are swept by another 60 s later (the queue's"
        " visibility timeout)",
        f"✓ no segment was given up: {queue.dead_letters_url} is empty",
    ]


def test_what_is_wrong_with_a_work_queue_is_told_with_its_cure(cloud, lone_api):
    hasty = cloud.make_queue(visibility_seconds=2)
    (fault,) = [line for line in findings_of_queue(cloud, lone_api, hasty.url) if line[0] == "✗"]
    assert fault.startswith("✗ the queue's visibility timeout of 2 s is too short")

    given_up = cloud.make_queue(visibility_seconds=60)
    given_up.client.send_message(
        QueueUrl=given_up.dead_letters_url,
        MessageBody="x",
        MessageGroupId="0",
        MessageDeduplicationId="0",
    )
    (fault,) = [line for line in findings_of_queue(cloud, lone_api, given_up.url) if line[0] == "✗"]
    assert fault == f"✗ 1 segments were given up: see {given_up.dead_letters_url}"

    shared = cloud.make_queue(visibility_seconds=60)
    shared.send(Segment("us-east-1/theirs", 1, 300, 0, 4).to_text(), "0")
    (fault,) = [line for line in findings_of_queue(cloud, lone_api, shared.url) if line[0] == "✗"]
    assert "it is about table us-east-1/theirs" in fault
    assert shared.count() == 1

    lonely = cloud.make_lonely_queue(visibility_seconds=60)
    (fault,) = [line for line in findings_of_queue(cloud, lone_api, lonely.url) if line[0] == "✗"]
    assert fault.startswith("✗ the queue has no dead-letter queue")

    (fault,) = findings_of_queue(cloud, lone_api, hasty.url.replace(".fifo", "x.fifo"))
    assert "there is no queue" in fault
    assert fault.endswith("correct REAPER_QUEUE_URL")


def test_what_else_rows_show_is_worth_a_look_and_the_verdict_comes_last(cloud):
    table = cloud.make_table(("connectionId", "S"))
    closed = {"disconnectedAt": {"S": "2026-11-24T07:44:26Z"}}
    born = {"since": {"N": str(int(time.time()) - 600)}}
    cloud.put(table, *({"connectionId": {"S": f"c{n}"}} | born for n in range(4)))
    cloud.put(table, *({"connectionId": {"S": f"h{n}"}} | born | closed for n in range(3)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_SWEEP_INTERVAL="5")
        done = cloud.reaper("check", environment=environment)
        settings = {
            "REAPER_ROW_FILTER": "!disconnectedAt",
            "REAPER_CONNECTED_AT_ATTRIBUTE": "since",
        }
        del environment["REAPER_SWEEP_INTERVAL"]
        then = cloud.reaper("check", environment=environment | settings)

    assert done.code == then.code == 0, done.stdout
    assert lines(done)[0].startswith("! REAPER_SWEEP_INTERVAL is no variable")
    assert "did you mean REAPER_SWEEP_INTERVAL_SECONDS?" in lines(done)[0]
    of_filter, of_time = [line for line in lines(done) if "may fit" in line]
    assert of_filter.startswith("! REAPER_ROW_FILTER='!disconnectedAt' may fit")
    assert of_time.startswith("! REAPER_CONNECTED_AT_ATTRIBUTE=since may fit")
    assert "may fit" not in then.stdout
    assert lines(done)[-1] == lines(then)[-1] == "ready: reaper sweep --dry-run"


def test_newborn_clients_that_were_not_asked_are_said(cloud):
    table = cloud.make_table(("connectionId", "S"))
    now = {"N": str(int(time.time() * 1000))}
    cloud.put(table, *(zombie(f"c{n}", connectedAt=now) for n in range(3)))
    with FaultyGateway() as server:
        environment = cloud.environment(table, server.url, REAPER_NEWBORN_GRACE_SECONDS="60")
        done = cloud.reaper("check", environment=environment)

    assert "! 3 rows younger than 60 s were not asked" in done.stdout
    assert done.code == 0
