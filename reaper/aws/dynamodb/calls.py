"""DynamoDB over the Common Runtime, many calls at a time, for a tenth of what botocore takes."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reaper.aws.dynamodb.conditions import ConditionFailed
from reaper.aws.transport.http import HttpClient, Response
from reaper.core.errors import TableError
from reaper.core.rows.endpoint import Endpoint

MAX_IN_FLIGHT = 64

MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.1
"""Doubled with each attempt, less up to half of it by chance, as AWS's SDKs do."""

MAX_WAIT_SECONDS = 1.0

_MAY_PASS = (
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
)
"""What DynamoDB says of a request that had better be sent again."""

Explain = Callable[[str, str, str], TableError]
"""From operation, error code and message to an error with the cure."""

Result = bytes | TableError | ConditionFailed
"""The body of an answer, or what was the matter."""


class Calls:
    """Puts calls of one operation side by side; what comes of one does not touch the others.

    For one thread, as its client is.
    """

    def __init__(self, client: HttpClient, endpoint: Endpoint, explain: Explain) -> None:
        self._client = client
        self._endpoint = endpoint
        self._explain = explain

    def make(self, operation: str, requests: Sequence[dict[str, Any]]) -> list[Result]:
        """The results, in order.

        A call whose answer was lost is made again: what it changed the first time fails its
        condition the second time.
        """
        bodies = [msgspec.json.encode(request) for request in requests]
        results: dict[int, Result] = {}
        pending = list(range(len(bodies)))
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0.5, 1) * FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            pending = self._make_once(operation, bodies, pending, results)
            if not pending:
                break
        return [results[number] for number in range(len(bodies))]

    def _make_once(
        self,
        operation: str,
        bodies: Sequence[bytes],
        pending: Sequence[int],
        results: dict[int, Result],
    ) -> list[int]:
        """Make each call and note its result. Returns those that had better be made again."""
        headers = (
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", f"DynamoDB_20120810.{operation}"),
        )
        path = f"{self._endpoint.path}/"
        waiting, again, answered = deque(pending), [], 0
        while answered < len(pending):
            while waiting and self._client.in_flight < MAX_IN_FLIGHT:
                number = waiting.popleft()
                tag = results, number
                self._client.send(self._endpoint, "POST", path, bodies[number], tag, headers)
            for response in self._client.poll(MAX_WAIT_SECONDS):
                whose, number = response.tag
                if whose is not results:
                    continue  # it answers to earlier calls, which broke off
                answered += 1
                results[number], may_pass = self._result(operation, response)
                if may_pass:
                    again.append(number)
        return again

    def _result(self, operation: str, response: Response) -> tuple[Result, bool]:
        """What came of a call, and whether it may come out better at another attempt."""
        if response.status == 200:
            return response.body, False
        if response.status is None:
            return self._explain(operation, "", response.error), True
        code, message = _error(response.body)
        if code == "ConditionalCheckFailedException":
            return ConditionFailed(), False
        error = self._explain(operation, code or f"HTTP status {response.status}", message)
        return error, code in _MAY_PASS or response.status >= 500


def _error(body: bytes) -> tuple[str, str]:
    """Code and message, both empty where a body is not DynamoDB's."""
    try:
        held = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "", ""
    code = str(held.get("__type", "")).rpartition("#")[2]
    return code, str(held.get("message") or held.get("Message") or "")
