"""A real table API and real sockets: ministack, and the chat on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from deploy.chat.deploy import Chat, deploy
from deploy.chat.standin import StandIn
from tests.support.cloud import TOKEN_SECRET, Cloud, RunningChat


@pytest.fixture(scope="session")
def standin(tmp_path_factory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture(scope="session")
def cloud(standin) -> Cloud:
    return Cloud(standin, standin.session())


@pytest.fixture(scope="session")
def deployed(standin) -> Chat:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in standin.environment.items():
            environment.setenv(name, value)
        session = standin.session()
        session.client("s3").create_bucket(Bucket="chat-code")
        return deploy(
            session,
            "chat",
            "chat-code",
            token_secret=TOKEN_SECRET,
            management_endpoint_base=standin.management_endpoint_base,
        )


@pytest.fixture
def chat(cloud, deployed, standin) -> Iterator[RunningChat]:
    loop = asyncio.new_event_loop()
    endpoint = f"{standin.management_endpoint_base}/{deployed.api_id}/{deployed.stage}"
    running = RunningChat(deployed, endpoint, loop, [])
    yield running

    async def leave_all() -> None:
        await asyncio.gather(*(client.leave() for client in running.clients))

    running.run(leave_all())
    loop.close()
    time.sleep(0.3)  # $disconnect has its own pace
    cloud.empty(deployed.connections_table, "connectionId")
    cloud.empty(deployed.members_table, "room", "connectionId")


@pytest.fixture
def lone_api(cloud, standin) -> Iterator[str]:
    """The endpoint of a WebSocket API that has no connections: the wrong API."""
    api = cloud.gateway.create_api(
        Name="lone", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )
    cloud.gateway.create_stage(ApiId=api["ApiId"], StageName="prod")
    yield f"{standin.management_endpoint_base}/{api['ApiId']}/prod"
    cloud.gateway.delete_api(ApiId=api["ApiId"])
