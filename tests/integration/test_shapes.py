"""Tables as people have them: each is swept as it is, by variables alone."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import item

STRINGS = ("pk", "S"), ("sk", "S")


class Shape(NamedTuple):
    keys: tuple[tuple[str, str], ...]
    settings: dict[str, str]
    stays: list[dict[str, Any]]
    goes: list[dict[str, Any]]
    evicted: int
    """Connection rows among those that go."""


SHAPES = {
    "the id is the hash key": Shape(
        (("connectionId", "S"),),
        {},
        stays=[item(connectionId="live1")],
        goes=[item(connectionId="dead1")],
        evicted=1,
    ),
    "hash key beside a numeric range key": Shape(
        (("connectionId", "S"), ("joined", "N")),
        {},
        stays=[item(connectionId="live1", joined={"N": "1795506266123.5"})],
        goes=[
            item(connectionId="dead1", joined={"N": "17"}),
            item(connectionId="dead1", joined={"N": "18"}),
        ],
        evicted=2,
    ),
    "range key under a room, and in several of them": Shape(
        (("room", "S"), ("connectionId", "S")),
        {},
        stays=[
            item(room="a", connectionId="live1"),
            item(room="b", connectionId="live1"),
        ],
        goes=[item(room="a", connectionId="dead1"), item(room="b", connectionId="dead1")],
        evicted=2,
    ),
    "inside a composite key": Shape(
        (("pk", "S"),),
        {"CONNECTION_ID_ATTRIBUTE": "pk", "CONNECTION_ID_PATTERN": "CONN#[^#]+#([^#]+)"},
        stays=[item(pk="CONN#host#live1"), item(pk="USER#dead1"), item(pk="CONN#dead1")],
        goes=[item(pk="CONN#host#dead1")],
        evicted=1,
    ),
    "a prefix that other rows have too": Shape(
        STRINGS,
        {"CONNECTION_ID_ATTRIBUTE": "pk", "CONNECTION_ID_PATTERN": "CONN#([^#]+)"},
        stays=[
            item(pk="CONN#live1", sk="META"),
            item(pk="CONN#TRIP#dead1", sk="META"),
            item(pk="TRIP#dead1", sk="CONN#dead1"),
        ],
        goes=[item(pk="CONN#dead1", sk="META")],
        evicted=1,
    ),
    "only some rows of a partition are connections": Shape(
        STRINGS,
        {
            "CONNECTION_ID_ATTRIBUTE": "pk",
            "CONNECTION_ID_PATTERN": "CONN#(.+)",
            "ROW_FILTER": "sk=META",
        },
        stays=[
            item(pk="CONN#live1", sk="META"),
            item(pk="CONN#dead1", sk="SUB#1"),
        ],
        goes=[item(pk="CONN#dead1", sk="META")],
        evicted=1,
    ),
    "closed connections stay as history, told by several attributes": Shape(
        (("connectionId", "S"),),
        {"ROW_FILTER": "kind=CONN && !disconnectedAt && live=true && v=2"},
        stays=[
            item(connectionId="live1", kind="CONN", live={"BOOL": True}, v={"N": "2"}),
            item(connectionId="dead1", kind="ROOM", live={"BOOL": True}, v={"N": "2"}),
            item(connectionId="dead2", kind="CONN", live={"BOOL": False}, v={"N": "2"}),
            item(
                connectionId="dead3",
                kind="CONN",
                live={"BOOL": True},
                v={"N": "2"},
                disconnectedAt="2026-11-24",
            ),
        ],
        goes=[
            item(
                connectionId="dead0",
                kind="CONN",
                live={"BOOL": True},
                v={"N": "2"},
                disconnectedAt={"NULL": True},
            ),
        ],
        evicted=1,
    ),
    "the whole partition of a connection": Shape(
        STRINGS,
        {
            "CONNECTION_ID_ATTRIBUTE": "pk",
            "CONNECTION_ID_PATTERN": "CONN#(.+)",
            "ROW_FILTER": "sk=META",
            "EVICT_SCOPE": "partition",
        },
        stays=[
            item(pk="CONN#live1", sk="META"),
            item(pk="CONN#live1", sk="SUB#1"),
            item(pk="ROOM#1", sk="CONN#dead1"),
        ],
        goes=[
            item(pk="CONN#dead1", sk="META"),
            *(item(pk="CONN#dead1", sk=f"SUB#{n:03}") for n in range(95)),
        ],
        evicted=1,
    ),
    "the whole partition, all of it connection rows": Shape(
        STRINGS,
        {
            "CONNECTION_ID_ATTRIBUTE": "pk",
            "CONNECTION_ID_PATTERN": "CONN#(.+)",
            "EVICT_SCOPE": "partition",
        },
        stays=[item(pk="CONN#live1", sk="META"), item(pk="CONN#live1", sk="SUB#1")],
        goes=[item(pk="CONN#dead1", sk=f"SUB#{n:03}") for n in range(15)],
        evicted=15,
    ),
    "one constant partition for all": Shape(
        STRINGS,
        {"CONNECTION_ID_ATTRIBUTE": "sk"},
        stays=[item(pk="CONNECTIONS", sk="live1"), item(pk="CONNECTIONS", sk="live2")],
        goes=[item(pk="CONNECTIONS", sk="dead1")],
        evicted=1,
    ),
    "a sentinel row among the ids": Shape(
        (("connectionId", "S"),),
        {"CONNECTION_ID_PATTERN": "(?!__count__).+"},
        stays=[item(connectionId="live1"), item(connectionId="__count__")],
        goes=[item(connectionId="dead1")],
        evicted=1,
    ),
    "a path into a map, with hyphens": Shape(
        (("user-id", "S"),),
        {"CONNECTION_ID_ATTRIBUTE": "web-socket.connection-id"},
        stays=[
            item(
                **{
                    "user-id": "ann on live1",
                    "web-socket": {"M": {"connection-id": {"S": "live1"}}},
                }
            ),
        ],
        goes=[
            item(
                **{
                    "user-id": "bob on dead1",
                    "web-socket": {"M": {"connection-id": {"S": "dead1"}}},
                }
            ),
        ],
        evicted=1,
    ),
}


def like(row: dict[str, Any], name: str, other: str) -> dict[str, Any]:
    """The same row of another connection."""
    return json.loads(json.dumps(row).replace(name, other))


@pytest.mark.parametrize("name", SHAPES)
def test_exactly_the_zombies_go(cloud, name):
    shape = SHAPES[name]
    table = cloud.make_table(*shape.keys)
    others = (like(shape.stays[0], "live1", name) for name in ("live8", "live9"))
    stays = [item(**row | item()) for row in (*shape.stays, *others)]
    goes = [item(**row | item()) for row in shape.goes]
    cloud.put(table, *stays, *goes)
    gone = {f"dead{n}": faults.gone for n in range(3)} | {"__count__": faults.gone}
    with FaultyGateway(gone) as server:
        settings = {f"REAPER_{name}": value for name, value in shape.settings.items()}
        environment = cloud.environment(table, server.url, **settings)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.code == 0, done.stderr
    assert sorted(map(str, cloud.rows(table))) == sorted(map(str, stays))
    assert (done.report["evicted"], done.report["changed"]) == (shape.evicted, 0)
    audited = [json.loads(line)["item"] for line in done.stdout.splitlines() if '"audit"' in line]
    assert sorted(map(str, audited)) == sorted(map(str, goes))
    if len(shape.goes) > 1:
        assert server.asked()["dead1"] <= 4


def test_only_the_id_is_cleared_from_a_row_that_must_stay(cloud):
    table = cloud.make_table(("pk", "S"), ("sk", "S"))
    player = {"pk": "GAME#1", "score": {"N": "70"}}
    bob = item(**player, sk="PLAYER#bob")
    cloud.put(
        table,
        item(**player, sk="PLAYER#ann", wsId="live1"),
        {**bob, "wsId": {"S": "dead1"}},
        item(**player, sk="PLAYER#eve"),
    )
    with FaultyGateway({"dead1": faults.gone}) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_CONNECTION_ID_ATTRIBUTE="wsId",
            REAPER_EVICT_ACTION="clear",
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    rows = {row["sk"]["S"]: row for row in cloud.rows(table)}
    assert (done.code, done.report["evicted"], done.report["malformed"]) == (0, 1, 1)
    assert rows["PLAYER#bob"] == bob
    assert rows["PLAYER#ann"]["wsId"] == {"S": "live1"}
    assert "rows without a usable id" not in done.stderr


def test_what_belongs_to_the_id_goes_with_it_and_flags_are_set(cloud):
    table = cloud.make_table(("pk", "S"))
    bob = item(
        pk="bob",
        wsId="dead1",
        token="secret",
        score={"N": "7"},
        is_connected={"BOOL": True},
        session={"M": {"node": {"S": "n1"}, "since": {"N": "5"}}},
    )
    ann = bob | item(pk="ann", wsId="live1")
    tim = item(pk="tim", wsId="dead2")
    cloud.put(table, ann, bob, tim)
    with FaultyGateway({"dead1": faults.gone, "dead2": faults.gone}) as server:
        environment = cloud.environment(
            table,
            server.url,
            REAPER_CONNECTION_ID_ATTRIBUTE="wsId",
            REAPER_EVICT_ACTION="clear",
            REAPER_EVICT_REMOVE="token,session.node",
            REAPER_EVICT_SET='{"is_connected": false, "left": "{now}", "log": ["at {now_iso}"]}',
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["evicted"]) == (0, 2), done.stderr
    rows = {row["pk"]["S"]: row for row in cloud.rows(table)}
    assert rows["ann"] == ann
    left = int(rows["bob"]["left"]["N"])
    assert time.time() - 60 < left <= time.time()
    moment = datetime.fromtimestamp(left, UTC).isoformat(timespec="minutes")[:-6]
    assert rows["bob"].pop("log")["L"][0]["S"].startswith(f"at {moment}")
    assert rows["bob"] == {
        "pk": bob["pk"],
        "connectedAt": bob["connectedAt"],
        "score": {"N": "7"},
        "is_connected": {"BOOL": False},
        "session": {"M": {"since": {"N": "5"}}},
        "left": {"N": str(left)},
    }
    assert set(rows["tim"]) == {"pk", "connectedAt", "is_connected", "left", "log"}


def test_a_key_cannot_be_cleared(cloud):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, "http://127.0.0.1:1", REAPER_EVICT_ACTION="clear")
    for command in ("sweep", "check"):
        done = cloud.reaper(command, environment=environment)
        assert done.code == 1
        assert "REAPER_EVICT_ACTION=clear cannot remove connectionId" in done.stdout + done.stderr
    table = cloud.make_table(("pk", "S"))
    environment |= {
        "REAPER_TABLE_NAME": table,
        "REAPER_EVICT_SET": '{"pk": "x"}',
    }
    done = cloud.reaper("sweep", environment=environment)
    assert "cannot remove pk" in done.stderr
    assert "correct REAPER_EVICT_REMOVE or REAPER_EVICT_SET" in done.stderr


@pytest.mark.parametrize(
    ("action", "attribute"), [("delete", "connectionId"), ("clear", "connectionId")]
)
def test_a_user_who_reconnects_while_the_old_id_is_asked_after_keeps_the_row(
    cloud, action, attribute
):
    """A table keyed by user: the row holds a newer connection by the time it would go."""
    table = cloud.make_table(("userId", "S"))
    cloud.put(table, item(userId="ann", connectionId="dead1"), item(userId="bob", connectionId="b"))
    newer = item(userId="ann", connectionId="live1")

    def gone_and_back(handler):
        if server.asked()["dead1"] == 2:
            cloud.put(table, newer)
        faults.gone(handler)

    with FaultyGateway({"dead1": gone_and_back}) as server:
        environment = cloud.environment(table, server.url, REAPER_EVICT_ACTION=action)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["changed"], done.report["evicted"]) == (0, 1, 0)
    assert newer in cloud.rows(table)
    assert "rows kept" in done.stderr


def test_a_partition_of_somebody_else_is_never_taken(cloud):
    table = cloud.make_table(("room", "S"), ("connectionId", "S"))
    rows = [item(room="lobby", connectionId=name) for name in ("live1", "live2", "dead1")]
    cloud.put(table, *rows)
    with FaultyGateway({"dead1": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_EVICT_SCOPE="partition")
        done = cloud.reaper("sweep", "--json", environment=environment)
        checked = cloud.reaper("check", environment=environment)

    assert (done.code, done.report["failed"], len(cloud.rows(table))) == (1, 1, 3)
    assert "REAPER_EVICT_SCOPE=row, which is what fits" in done.stderr
    assert "✗ room: holds the connection id in 0 of 3 rows" in checked.stdout


def test_a_partition_that_two_connections_share_is_not_taken_and_others_are(cloud):
    """A call between two, keyed by both their ids."""
    table = cloud.make_table(("pk", "S"), ("connectionId", "S"))
    shared = [item(pk="CALL#dead1#live1", connectionId=name) for name in ("dead1", "live1")]
    cloud.put(table, *shared, item(pk="CALL#dead2", connectionId="dead2"))
    with FaultyGateway({"dead1": faults.gone, "dead2": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_EVICT_SCOPE="partition")
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["failed"], done.report["evicted"]) == (1, 1, 1)
    assert cloud.ids(table) == {"dead1", "live1"}
    assert "other connections have rows under the same pk" in done.stderr


def test_every_way_to_write_a_time_is_understood(cloud):
    then = time.time() - 3 * 3600
    moment = datetime.fromtimestamp(then, UTC)
    ways = {
        "seconds": {"N": str(int(then))},
        "milliseconds": {"N": str(int(then * 1000))},
        "text of milliseconds": {"S": str(int(then * 1000))},
        "iso": {"S": moment.isoformat()},
        "iso with Z": {"S": moment.strftime("%Y-%m-%dT%H:%M:%S.123Z")},
        "iso without a zone": {"S": moment.replace(tzinfo=None).isoformat()},
        "javascript": {
            "S": moment.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
        },
    }
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(item(connectionId=way, connectedAt=at) for way, at in ways.items()))
    with FaultyGateway(default=faults.gone) as server:
        environment = cloud.environment(table, server.url)
        checked = cloud.reaper("check", environment=environment)
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.report["expired"], done.report["evicted"]) == (len(ways), 0)
    for told in (
        "epoch milliseconds, 2 of 7 rows",
        "ISO 8601, 2 of 7 rows",
        "epoch seconds, 1 of 7 rows",
        "ISO 8601 without a zone, 1 of 7 rows",
        "JavaScript date, 1 of 7 rows",
    ):
        assert told in checked.stdout


@pytest.mark.parametrize("form", ["url", "domain/stage", "two attributes", "requestContext"])
def test_a_row_names_its_endpoint_in_any_of_its_forms(cloud, form):
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway({"dead1": faults.gone}) as server:
        domain = server.endpoint.authority
        own, attribute = {
            "url": ({"endpoint": server.url}, "endpoint"),
            "domain/stage": ({"endpoint": f"{domain}/prod"}, "endpoint"),
            "two attributes": ({"domainName": domain, "stage": "prod"}, "domainName,stage"),
            "requestContext": (
                {"requestContext": {"M": {"domainName": {"S": domain}, "stage": {"S": "prod"}}}},
                "requestContext",
            ),
        }[form]
        replica = {
            name: {"S": "https://abc123.execute-api.eu-west-1.amazonaws.com/prod"} for name in own
        }
        rows = [item(connectionId=name, **own) for name in ("live1", "dead1")]
        foreign = item(connectionId="dead2", **replica)
        cloud.put(table, *rows, foreign)
        environment = cloud.environment(
            table, server.url, REAPER_ENDPOINT_ATTRIBUTE=attribute, REAPER_HEARTBEAT_MODE="off"
        )
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert cloud.ids(table) == {"live1", "dead2"}
    assert (done.report["foreign"], done.report["evicted"]) == (1, 1)
    assert server.asked()["dead2"] == 0


def test_several_apis_in_one_table_each_need_their_own_proof(cloud, chat, lone_api):
    chat.connect(3)
    table = cloud.make_table(("connectionId", "S"))
    live = [item(connectionId=name, endpoint=chat.endpoint) for name in cloud.ids(chat.table)]
    cloud.put(
        table,
        *live,
        item(connectionId="dead1", endpoint=chat.endpoint),
        *(item(connectionId=f"other{n}", endpoint=lone_api) for n in range(5)),
    )
    environment = cloud.environment(table, chat.endpoint, REAPER_ENDPOINT_ATTRIBUTE="endpoint")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (3, "unproven-endpoint")
    assert (done.report["evicted"], done.report["held"]) == (1, 5)
    assert cloud.ids(table) == {row["connectionId"]["S"] for row in live} | {
        f"other{n}" for n in range(5)
    }
    (hold,) = [entry for entry in done.log if entry["event"] == "evictions are held"]
    assert (hold["endpoint"], hold["gone"], hold["alive"]) == (lone_api, 5, 0)
