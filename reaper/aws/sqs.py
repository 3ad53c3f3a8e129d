"""The work queue: an SQS FIFO queue, through which workers share the segments of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore import xform_name
from botocore.config import Config

from reaper.aws.service_errors import AWS_FAULTS, error_response, fault_of
from reaper.aws.session import API_CONFIG
from reaper.core.errors import Fault
from reaper.core.segments import Segment

BATCH = 10
"""The most messages that SQS takes in one request."""

MAX_WAIT_SECONDS = 2
"""One request for a message takes so long at most, and a signal waits for its end."""


class QueueError(Fault):
    """The queue could not be used."""


class QueueRefusal(QueueError):
    """The queue may be used, but not for what was asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that SQS has handed out, until its visibility timeout is over."""

    text: str
    receipt: str
    receive_count: int
    """This one included."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """How a queue was set up."""

    visibility_seconds: float
    """For so long a message is its receiver's."""
    dead_letter_queue: str | None
    """The URL of the queue where messages end that were taken too often."""


class WorkQueue:
    """What the reaper does with its queue. Everything raises QueueError."""

    def __init__(self, session: boto3.Session, region: str, url: str) -> None:
        self.url = url
        self.region = region
        config = API_CONFIG.merge(Config(connect_timeout=3, read_timeout=MAX_WAIT_SECONDS + 3))
        self._client = session.client("sqs", region_name=region, config=config)

    def facts(self) -> QueueFacts:
        """Ask how the queue was set up."""
        answer = self._call(
            "GetQueueAttributes",
            QueueUrl=self.url,
            AttributeNames=["VisibilityTimeout", "RedrivePolicy"],
        )
        attributes = answer["Attributes"]
        policy = json.loads(attributes.get("RedrivePolicy") or "{}")
        dead_letter_queue = None
        if "deadLetterTargetArn" in policy:
            name = policy["deadLetterTargetArn"].rsplit(":", 1)[1]
            dead_letter_queue = f"{self.url.rsplit('/', 1)[0]}/{name}"
        return QueueFacts(float(attributes["VisibilityTimeout"]), dead_letter_queue)

    def put(self, segments: Sequence[Segment]) -> None:
        """Put these on the queue, but for those that were put within the last five minutes."""
        self._in_batches(
            "SendMessageBatch",
            [
                {
                    "MessageBody": segment.to_text(),
                    "MessageGroupId": segment.group,
                    "MessageDeduplicationId": segment.identity,
                }
                for segment in segments
            ],
        )

    def receive(self, wait_seconds: int, visibility_seconds: float) -> Message | None:
        """A message of a group of which nobody has one; None if none comes in that time.

        At most ``MAX_WAIT_SECONDS`` long. The message is the receiver's for so many seconds,
        whatever the queue's own timeout has become.
        """
        answer = self._call(
            "ReceiveMessage",
            QueueUrl=self.url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=round(visibility_seconds),
            AttributeNames=["ApproximateReceiveCount"],
            # Should the answer get lost, botocore asks again and SQS gives the same message.
            ReceiveRequestAttemptId=str(uuid4()),
        )
        for one in answer.get("Messages", ()):
            receive_count = int(one["Attributes"]["ApproximateReceiveCount"])
            return Message(one["Body"], one["ReceiptHandle"], receive_count)
        return None

    def set_visibility(self, messages: Sequence[Message], seconds: float) -> None:
        """Let these be their receiver's for so long from now on; 0 releases them at once."""
        self._in_batches(
            "ChangeMessageVisibilityBatch",
            [
                {"ReceiptHandle": message.receipt, "VisibilityTimeout": round(seconds)}
                for message in messages
            ],
        )

    def delete(self, messages: Sequence[Message]) -> None:
        """They are done with."""
        entries = [{"ReceiptHandle": message.receipt} for message in messages]
        self._in_batches("DeleteMessageBatch", entries)

    def count_dead_letters(self, url: str) -> int:
        """How many messages are in a dead-letter queue, nearly."""
        name = "ApproximateNumberOfMessages"
        answer = self._call("GetQueueAttributes", QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def try_out(self) -> Iterator[tuple[str, QueueError | None]]:
        """Each permission that is needed and what is wrong with it; no message is touched."""
        nobodys = [{"Id": "0", "ReceiptHandle": "nobody has this one"}]
        in_vain: dict[str, dict[str, Any]] = {
            "SendMessageBatch": {"Entries": []},
            "ReceiveMessage": {"MaxNumberOfMessages": 0},
            "ChangeMessageVisibilityBatch": {"Entries": [nobodys[0] | {"VisibilityTimeout": 0}]},
            "DeleteMessageBatch": {"Entries": nobodys},
        }
        for operation, arguments in in_vain.items():
            fault: QueueError | None = None
            try:
                with suppress(QueueRefusal):
                    self._call(operation, QueueUrl=self.url, **arguments)
            except QueueError as error:
                fault = error
            yield _permission(operation), fault

    def _in_batches(self, operation: str, entries: Sequence[dict[str, Any]]) -> None:
        """All of them, also where some fail."""
        failed: list[dict[str, Any]] = []
        for start in range(0, len(entries), BATCH):
            batch = [{"Id": str(n), **one} for n, one in enumerate(entries[start : start + BATCH])]
            failed += self._call(operation, QueueUrl=self.url, Entries=batch).get("Failed", ())
        if failed:
            raise QueueError(
                f"{_permission(operation)} on {self.url} failed for {len(failed)} of"
                f" {len(entries)} messages: {failed[0]['Code']}: {failed[0].get('Message', '')}"
            )

    def _call(self, operation: str, **arguments: Any) -> Any:
        method = getattr(self._client, xform_name(operation))
        permission, url = _permission(operation), arguments["QueueUrl"]
        try:
            return method(**arguments)
        except AWS_FAULTS as error:
            code = error_response(error).get("Code", "")
            if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
                raise QueueError(f"there is no queue {url}", "correct REAPER_QUEUE_URL") from None
            kind = QueueRefusal if code.rpartition(".")[2] in _REFUSALS else QueueError
            raise fault_of(error, f"{permission} on {url}", permission, kind) from None


_REFUSALS = (
    "EmptyBatchRequest",
    "InvalidParameterValue",
    "ReadCountOutOfRange",
    "ReceiptHandleIsInvalid",
)
"""What SQS says of requests that it would have granted (Amazon SQS API Reference)."""


def _permission(operation: str) -> str:
    return f"sqs:{operation.removesuffix('Batch')}"
