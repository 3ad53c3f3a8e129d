"""DynamoDB's protocol over our own HTTP: many calls at a time, for a tenth of botocore's time."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from reaper.aws.dynamodb.conditions import ConditionFailed
from reaper.aws.json_bodies import read_refusal
from reaper.aws.service_errors import NOT_ITS_OWN, clock_skew, is_page
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

Explain = Callable[[str, str, str, float | None], TableError]
"""From operation, error code, message and how far our clock is ahead to an error with the cure."""

Result = bytes | TableError | ConditionFailed
"""The body of an answer, or what was the matter."""


class Outcome(NamedTuple):
    """What came of a call."""

    tag: Any
    result: Result
    may_pass: bool
    """Whether it may come out better at another attempt."""


def pause_seconds(attempts: int) -> float:
    """How long to wait after so many attempts before the next one."""
    return random.uniform(0.5, 1) * FIRST_PAUSE_SECONDS * float(2 ** (attempts - 1))


class DynamoApi:
    """Sends calls and hands back what came of them. For one thread, as its client is."""

    def __init__(self, client: HttpClient, endpoint: Endpoint, explain: Explain) -> None:
        self._client = client
        self._endpoint = endpoint
        self._path = f"{endpoint.path}/"
        self._explain = explain

    @property
    def in_flight(self) -> int:
        return self._client.in_flight

    def send(self, operation: str, body: bytes, tag: Any) -> None:
        """Make one call. Its outcome, marked with ``tag``, comes from a later ``poll``."""
        headers = (
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", f"DynamoDB_20120810.{operation}"),
        )
        self._client.send(
            self._endpoint, "POST", self._path, body, (operation, tag), headers=headers
        )

    def poll(self, wait_seconds: float) -> list[Outcome]:
        """The outcomes that have come, waiting up to so long for the first."""
        return [self._outcome(response) for response in self._client.poll(wait_seconds)]

    def _outcome(self, response: Response) -> Outcome:
        operation, tag = response.tag
        if response.status is None:
            return Outcome(tag, self._explain(operation, "", response.error, None), may_pass=True)
        if response.status == 200:
            if response.body[:1] == b"{":
                return Outcome(tag, response.body, may_pass=False)
            why = "its answer is not DynamoDB's own: is there a proxy in between?"
            return Outcome(tag, self._explain(operation, "", why, None), may_pass=False)
        code, message = read_refusal(response.body)
        if is_page(response.body):
            message = NOT_ITS_OWN
        if code == "ConditionalCheckFailedException":
            return Outcome(tag, ConditionFailed(), may_pass=False)
        skew_seconds = clock_skew(response.date, time.time())
        code = code or f"HTTP status {response.status}"
        error = self._explain(operation, code, message, skew_seconds)
        return Outcome(tag, error, may_pass=code in _MAY_PASS or response.status >= 500)


class Calls:
    """Makes calls side by side and waits for them; what comes of one does not touch the others.

    Several threads may do so; they take turns.
    """

    def __init__(self, api: DynamoApi) -> None:
        self._api = api
        self._turn = Lock()

    def make(self, operation: str, requests: Sequence[dict[str, Any]]) -> list[Result]:
        """The results, in order.

        A call whose answer was lost is made again: what it changed the first time fails its
        condition the second time.
        """
        with self._turn:
            return self._make(operation, [msgspec.json.encode(request) for request in requests])

    def _make(self, operation: str, bodies: Sequence[bytes]) -> list[Result]:
        results: dict[int, Result] = {}
        pending = list(range(len(bodies)))
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(pause_seconds(attempt))
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
        this = object()
        waiting, again, answered = deque(pending), [], 0
        while answered < len(pending):
            while waiting and self._api.in_flight < MAX_IN_FLIGHT:
                number = waiting.popleft()
                self._api.send(operation, bodies[number], (this, number))
            for (whose, number), result, may_pass in self._api.poll(MAX_WAIT_SECONDS):
                if whose is not this:
                    continue  # it answers to earlier calls, which broke off
                answered += 1
                results[number] = result
                if may_pass:
                    again.append(number)
        return again
