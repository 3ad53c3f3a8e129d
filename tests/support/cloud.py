"""What tests do to a real table API and real sockets, and to the reaper as a process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from deploy.chat.clients import ChatClient, open_clients
from deploy.chat.deploy import Chat
from deploy.chat.handlers.authorizer import sign_token
from deploy.chat.standin import StandIn
from tests.support.moto import Moto
from tests.support.preloaded import Process

TOKEN_SECRET = "a secret that only tests know"
QUICK = {
    "REAPER_NEWBORN_GRACE_SECONDS": "0",
    "REAPER_CONFIRM_DELAY_SECONDS": "0.2",
    "REAPER_PROBE_TIMEOUT_SECONDS": "4",
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

    standin: StandIn | Moto
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

    def make_lonely_queue(self, visibility_seconds: int) -> Queue:
        """A work queue without a dead-letter queue."""
        sqs = self.session.client("sqs", endpoint_url=self.standin.url)
        attributes = {"FifoQueue": "true", "VisibilityTimeout": str(visibility_seconds)}
        made = sqs.create_queue(QueueName=f"{uuid.uuid4().hex[:8]}.fifo", Attributes=attributes)
        return Queue(sqs, made["QueueUrl"], "")

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
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = Process(list(arguments), environment, out, err)
            try:
                code = process.wait(180)
            finally:
                process.kill()
            out.seek(0), err.seek(0)
            done = Finished(code, out.read(), err.read())
        assert "Traceback" not in done.stderr, done.stderr
        return done


@contextmanager
def daemon(environment: dict[str, str], log_file: Path) -> Iterator[Process]:
    """``reaper run`` in the background. Its log goes to a file; it is killed if it is left."""
    with log_file.open("ab") as log, (log_file.with_suffix(".stdout")).open("ab") as out:
        process = Process(["run"], environment, out, log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


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
        """Let the clients hear what has been sent to them, if anything was."""
        self.run(asyncio.sleep(seconds))

    def listen_until(self, condition: Any, seconds: float = 20) -> None:
        """Let the clients hear what has been sent to them; fail if it never arrives."""
        give_up_at = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < give_up_at, f"{condition} never came true"
            self.listen(0.05)


def function(cloud: Cloud, code: str, table: str = "", name: str = "") -> str:
    """A Lambda function of the test's own; returns its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("index.py", code)
    made = cloud.session.client("lambda", endpoint_url=cloud.standin.url).create_function(
        FunctionName=name or f"f-{time.monotonic_ns()}",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"TABLE": table}},
    )
    return made["FunctionArn"]
