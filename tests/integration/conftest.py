"""A real table API and real sockets: ministack, the chat on it, and the reaper as a process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.chat.clients import ChatClient, open_clients
from deploy.chat.deploy import Chat, deploy
from deploy.chat.handlers.authorizer import sign_token
from deploy.chat.standin import StandIn

TOKEN_SECRET = "a secret that only tests know"
QUICK = {
    "REAPER_NEWBORN_GRACE_SECONDS": "0",
    "REAPER_CONFIRM_DELAY_SECONDS": "0.2",
    "REAPER_PROBE_TIMEOUT_SECONDS": "1",
    "REAPER_MESSAGE_SOURCE": "attribute",
    "REAPER_HTTP_BIND": "",
}


@dataclass
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The last line of stdout, as ``--json`` promises."""
        return json.loads(self.stdout.splitlines()[-1])

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]


@dataclass
class Queue:
    """A work queue with its dead-letter queue, as an operator would make them."""

    client: Any
    url: str
    dead_letters_url: str

    def count(self, which: str = "") -> int:
        name = f"ApproximateNumberOfMessages{which}"
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def send(self, text: str, group: str) -> None:
        self.client.send_message(
            QueueUrl=self.url,
            MessageBody=text,
            MessageGroupId=group,
            MessageDeduplicationId=uuid.uuid4().hex,
        )

    def delete(self) -> None:
        self.client.delete_queue(QueueUrl=self.url)


@dataclass
class Cloud:
    """What a test does to the stand-in, and the reaper that runs against it."""

    standin: StandIn
    session: boto3.Session

    @property
    def dynamodb(self) -> Any:
        return self.session.client("dynamodb", endpoint_url=self.standin.url)

    @property
    def gateway(self) -> Any:
        return self.session.client("apigatewayv2", endpoint_url=self.standin.url)

    def make_table(self, *keys: tuple[str, str], **more: Any) -> str:
        """A table with these keys, such as ``("connectionId", "S")``, hash first."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        schema = [
            {"AttributeName": key, "KeyType": kind}
            for (key, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ]
        definitions = [{"AttributeName": key, "AttributeType": kind} for key, kind in keys]
        definitions += more.pop("AttributeDefinitions", [])
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=schema,
            AttributeDefinitions=definitions,
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
        return name

    def make_queue(self, visibility_seconds: int, name: str = "", most_receives: int = 2) -> Queue:
        sqs = self.session.client("sqs", endpoint_url=self.standin.url)
        name, fifo = name or uuid.uuid4().hex[:8], {"FifoQueue": "true"}
        dead = sqs.create_queue(QueueName=f"{name}-dead.fifo", Attributes=fifo)["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        policy = {
            "deadLetterTargetArn": asked["Attributes"]["QueueArn"],
            "maxReceiveCount": most_receives,
        }
        attributes = fifo | {
            "VisibilityTimeout": str(visibility_seconds),
            "RedrivePolicy": json.dumps(policy),
        }
        made = sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)
        return Queue(sqs, made["QueueUrl"], dead)

    def make_indexed_table(self, projection: dict[str, Any]) -> str:
        """A table keyed by ``pk`` with a sparse index ``by-connection``."""
        return self.make_table(
            ("pk", "S"),
            AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-connection",
                    "KeySchema": [{"AttributeName": "connectionId", "KeyType": "HASH"}],
                    "Projection": projection,
                }
            ],
        )

    def put(self, table: str, *items: dict[str, Any]) -> None:
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self.dynamodb.batch_write_item(RequestItems={table: requests})

    def rows(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def empty(self, table: str, *keys: str) -> None:
        """Delete all rows."""
        for row in self.rows(table):
            self.dynamodb.delete_item(TableName=table, Key={key: row[key] for key in keys})

    def ids(self, table: str) -> set[str]:
        return {row["connectionId"]["S"] for row in self.rows(table) if "connectionId" in row}

    def heartbeat(self, endpoint: str, connection_id: str) -> None:
        """What the reaper does, done by boto3."""
        management = self.session.client("apigatewaymanagementapi", endpoint_url=endpoint)
        management.post_to_connection(ConnectionId=connection_id, Data=b'{"type":"ping"}')

    def environment(self, table: str, endpoint: str, **settings: str) -> dict[str, str]:
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "REAPER_"))}
        return (
            clean
            | self.standin.environment
            | QUICK
            | {"REAPER_TABLE_NAME": table, "REAPER_API_ENDPOINT": endpoint}
            | settings
        )

    def reaper(self, *arguments: str, environment: dict[str, str]) -> Finished:
        """Run one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "reaper", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def daemon(environment: dict[str, str], log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``reaper run`` in the background. Its log goes to a file; it is killed if it is left."""
    with log_file.open("ab") as log, (log_file.with_suffix(".stdout")).open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "reaper", "run"], env=environment, stdout=out, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(condition: Any, seconds: float = 20, every: float = 0.05) -> None:
    """Wait until it holds; fail if it never does."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"{condition} never came true"
        time.sleep(every)


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


@dataclass
class RunningChat:
    """The deployed chat with some clients, in an event loop of the test's own."""

    chat: Chat
    endpoint: str
    loop: asyncio.AbstractEventLoop
    clients: list[ChatClient]

    @property
    def table(self) -> str:
        return self.chat.connections_table

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def connect(self, count: int, room: str = "lobby") -> list[ChatClient]:
        expiry = time.time() + 600
        tokens = [sign_token(f"user-{n}", TOKEN_SECRET, expiry) for n in range(count)]
        url = self.endpoint.replace("http://", "ws://")
        opened = self.run(open_clients(url, tokens, room))
        self.clients += opened
        return opened

    def listen(self, seconds: float) -> None:
        """Let the clients hear what has been sent to them."""
        self.run(asyncio.sleep(seconds))


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
