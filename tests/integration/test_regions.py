"""Two Regions: an API, a table and a reaper in each, and messages that are carried between them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

import boto3
import pytest

from deploy.chat.clients import ChatClient, open_clients
from deploy.chat.deploy import Chat, deploy
from deploy.chat.handlers.authorizer import sign_token
from tests.support.cloud import TOKEN_SECRET, Cloud, Finished
from tests.support.waiting import eventually

REGIONS = ("us-east-1", "eu-west-1")


class Relay:
    """A Region's gateway by an address of its own, which can be cut off; a context manager."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_off()

    def cut_off(self) -> None:
        """From now on nobody gets a connection; those that are open stay."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError), closing(sink):
        while data := source.recv(65536):
            sink.sendall(data)


@dataclass
class Region:
    name: str
    cloud: Cloud
    chat: Chat
    relay: Relay
    loop: asyncio.AbstractEventLoop

    @property
    def endpoint(self) -> str:
        base = f"http://127.0.0.1:{self.relay.port}/_aws/execute-api"
        return f"{base}/{self.chat.api_id}/{self.chat.stage}"

    @property
    def table(self) -> str:
        return self.chat.connections_table

    def connect(self, count: int) -> list[ChatClient]:
        tokens = [sign_token(f"user-{n}", TOKEN_SECRET, time.time() + 600) for n in range(count)]
        url = self.endpoint.replace("http://", "ws://")
        return self.loop.run_until_complete(open_clients(url, tokens, "lobby"))

    def sweep(self, table: str = "", **settings: str) -> Finished:
        """The Region's own reaper."""
        environment = self.cloud.environment(
            table or self.table,
            self.endpoint,
            AWS_REGION=self.name,
            AWS_DEFAULT_REGION=self.name,
            REAPER_HEARTBEAT_MODE="off",
            REAPER_FRESH_SECONDS="0",
            **settings,
        )
        return self.cloud.reaper("sweep", "--json", environment=environment)

    def add_zombies(self, *names: str, table: str = "") -> None:
        """Rows as $connect writes them."""
        connected = {"N": str(int((time.time() - 600) * 1000))}
        self.cloud.put(
            table or self.table,
            *(
                {
                    "connectionId": {"S": name},
                    "connectedAt": connected,
                    "endpoint": {"S": self.endpoint},
                }
                for name in names
            ),
        )


@pytest.fixture(scope="module")
def regions(standin) -> Iterator[list[Region]]:
    loop = asyncio.new_event_loop()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        for name, value in standin.environment.items():
            environment.setenv(name, value)
        made = []
        for name in REGIONS:
            session = boto3.Session("test", "test", region_name=name)
            relay = stack.enter_context(Relay(standin.port))
            bucket = f"chat-code-{name}"
            session.client("s3").create_bucket(
                Bucket=bucket,
                **(
                    {}
                    if name == "us-east-1"
                    else {"CreateBucketConfiguration": {"LocationConstraint": name}}
                ),
            )
            chat = deploy(
                session,
                "regional-chat",
                bucket,
                token_secret=TOKEN_SECRET,
                peer_regions=REGIONS,
                management_endpoint_base=f"http://127.0.0.1:{relay.port}/_aws/execute-api",
            )
            made.append(Region(name, Cloud(standin, session), chat, relay, loop))
        yield made
    loop.close()


@pytest.fixture
def clients(regions) -> Iterator[tuple[list[ChatClient], list[ChatClient]]]:
    """Two in each Region."""
    here, there = regions
    near, far = here.connect(2), there.connect(2)
    yield near, far

    async def leave_all() -> None:
        await asyncio.gather(*(client.leave() for client in (*near, *far)))

    here.loop.run_until_complete(leave_all())
    for region in regions:
        eventually(lambda table=region.cloud, name=region.table: not table.rows(name))


def test_what_is_said_in_one_region_is_heard_in_both(regions, clients):
    (speaker, near), far = clients
    loop = regions[0].loop
    loop.run_until_complete(speaker.say("hello, world"))

    def all_have_heard() -> bool:
        loop.run_until_complete(asyncio.sleep(0.1))
        return all(client.received for client in (speaker, near, *far))

    eventually(all_have_heard)
    loop.run_until_complete(asyncio.sleep(1))
    assert [client.received for client in (speaker, near, *far)] == [1, 1, 1, 1], "and only once"
    loop.run_until_complete(far[0].say("hello back"))
    eventually(lambda: all_have_heard() and speaker.received == 2)


def test_each_reaper_evicts_the_zombies_of_its_own_region(regions, clients):
    here, there = regions
    here.add_zombies("lost-here=")
    there.add_zombies("lost-there=")
    done = here.sweep()
    assert (done.report["alive"], done.report["evicted"]) == (2, 1)
    assert "lost-there=" in there.cloud.ids(there.table)
    assert there.sweep().report["evicted"] == 1
    assert [len(region.cloud.ids(region.table)) for region in regions] == [2, 2]


def test_a_global_table_holds_the_rows_of_both_and_each_reaper_sees_its_own(regions, clients):
    here, there = regions
    table = here.cloud.make_table(
        ("connectionId", "S"),
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    here.cloud.dynamodb.update_table(
        TableName=table, ReplicaUpdates=[{"Create": {"RegionName": there.name}}]
    )
    live = [region.cloud.rows(region.table) for region in regions]
    here.cloud.put(table, *live[0])
    there.cloud.put(table, *live[1])
    here.add_zombies("lost-here-1=", "lost-here-2=", table=table)
    there.add_zombies("lost-there=", table=table)
    eventually(lambda: len(here.cloud.ids(table)) == len(there.cloud.ids(table)) == 7)

    mine = here.sweep(table, REAPER_ENDPOINT_ATTRIBUTE="endpoint").report
    assert (mine["alive"], mine["foreign"], mine["evicted"]) == (2, 3, 2)
    eventually(lambda: len(there.cloud.ids(table)) == 5)
    theirs = there.sweep(table, REAPER_ENDPOINT_ATTRIBUTE="endpoint").report
    assert (theirs["alive"], theirs["foreign"], theirs["evicted"]) == (2, 2, 1)
    eventually(
        lambda: here.cloud.ids(table) == {row["connectionId"]["S"] for some in live for row in some}
    )


def test_a_region_whose_gateway_is_out_of_reach_evicts_nothing_and_the_other_goes_on(
    regions, clients
):
    """The last test here: nothing brings that gateway back."""
    here, there = regions
    here.add_zombies("lost-here=")
    there.add_zombies("lost-there=")
    there.relay.cut_off()
    held = there.sweep()
    assert (held.code, held.report["evicted"], held.report["unknown"]) == (3, 0, 3)
    assert "lost-there=" in there.cloud.ids(there.table)
    assert here.sweep().report["evicted"] == 1
    there.cloud.empty(there.table, "connectionId")
