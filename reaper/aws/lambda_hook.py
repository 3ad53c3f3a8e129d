"""The on-evict hook that is the application's own ``$disconnect`` function."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from threading import Lock
from urllib.parse import quote
from uuid import uuid4

from reaper.aws.hook import explain, no_such_hook, region_of_arn
from reaper.aws.json_bodies import read_object, read_refusal
from reaper.aws.service_errors import AWS_FAULTS, clock_skew, refused_or_failed
from reaper.aws.session import API_CONFIG, Access, endpoint_of, http_client
from reaper.aws.transport.http import Response
from reaper.core.errors import HookError
from reaper.core.events import HOOK_BATCH, disconnect_event
from reaper.core.iam import arn_of_named
from reaper.core.model import Zombie
from reaper.core.pacing.throttled import ThrottledConcurrency

MAX_INVOCATION_SECONDS = 30
"""API Gateway waits 29 s for an integration, so ``$disconnect`` code is quicker than that."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""A function may answer 6 MB."""

MAX_WAIT_SECONDS = 0.5

MAX_LOST = 3
"""So often a call is made again that a connection lost which turned out to be closed. Where one is,
others that are kept alive may be closed too."""

_STATUS = re.compile("[0-9]{3}")

_ERROR_TYPE = re.compile(r"[A-Za-z_][\w.]{0,60}")
"""As a function's runtime names what it raised. What else it answers is nobody's business."""

_TIMED_OUT = "Sandbox.Timedout"
"""What Lambda says in its place where it was ended for taking too long."""

_VARIABLE = "REAPER_ON_EVICT_LAMBDA"


class LambdaHook:
    """Invokes the application's ``$disconnect`` function and waits for its success.

    Live clients' own ``$disconnect`` needs the same function: where Lambda throttles it, it is
    called less often at once, and not at all for a while.
    """

    permission = "lambda:InvokeFunction"

    def __init__(
        self, known: Access, function: str, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """``function`` is a name or an ARN, which may lead to another Region."""
        self.name = function
        self.arn = arn_of_named(function, "lambda", known.region, f"function:{function}")
        self._wall_clock = wall_clock
        self._api = known.session.client(
            "lambda", region_name=region_of_arn(function) or known.region, config=API_CONFIG
        )
        self._endpoint = endpoint_of(self._api)
        self._path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
        self._client = http_client(known, "lambda", MAX_INVOCATION_SECONDS, MAX_ANSWER_BYTES)
        self._concurrency = ThrottledConcurrency(HOOK_BATCH)
        self._turn = Lock()

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        with self._turn:
            return self._tell(zombies)

    def try_out(self) -> None:
        """Ask whether the function is there and may be invoked. Raises HookError."""
        try:
            self._api.invoke(FunctionName=self.name, InvocationType="DryRun")
        except AWS_FAULTS as error:
            raise explain(error, self, _VARIABLE) from None

    def close(self) -> None:
        self._client.close()

    def _tell(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        results: dict[int, Exception | None] = {}
        this = object()
        waiting = deque(range(len(zombies)))
        lost: Counter[int] = Counter()
        self._concurrency.begin()
        while len(results) < len(zombies):
            self._begin(zombies, waiting, this)
            pause = self._concurrency.seconds_to_next(time.monotonic()) or MAX_WAIT_SECONDS
            for response in self._client.poll(min(pause, MAX_WAIT_SECONDS)):
                whose, number = response.tag
                if whose is not this:
                    continue  # it answers to an earlier call, which broke off
                if response.was_stale and lost[number] < MAX_LOST:
                    lost[number] += 1
                    waiting.append(number)
                    continue
                if response.status == 429:
                    self._concurrency.note_throttled(time.monotonic())
                if response.status == 429 and not self._concurrency.is_hopeless:
                    waiting.append(number)
                    continue
                results[number] = self._fault(response)
                if results[number] is None:
                    self._concurrency.note_success()
                if self._concurrency.is_hopeless:
                    results |= dict.fromkeys(waiting, results[number])
                    waiting.clear()
        return [results[number] for number in range(len(zombies))]

    def _begin(self, zombies: Sequence[Zombie], waiting: deque[int], call: object) -> None:
        """As many calls as the function bears."""
        while (
            waiting
            and self._client.in_flight < self._concurrency.limit
            and not self._concurrency.seconds_to_next(time.monotonic())
        ):
            number = waiting.popleft()
            event = disconnect_event(zombies[number], self._wall_clock(), f"reaper-{uuid4()}")
            headers = (("x-amz-invocation-type", "RequestResponse"),)
            body = json.dumps(event).encode()
            self._client.send(self._endpoint, "POST", self._path, body, (call, number), headers)

    def _fault(self, response: Response) -> Exception | None:
        """What was the matter with a call, if anything was."""
        if response.status != 200:
            return self._explain(response)
        if response.header(b"x-amz-function-error"):
            kind = str(read_object(response.body).get("errorType", ""))
            named = f" with {kind}" if _ERROR_TYPE.fullmatch(kind) else ""
            why = f"the on-evict hook {self.name} failed{named}, and no row goes without it"
            if kind == _TIMED_OUT:
                return HookError(why, "raise its timeout, or see by its log what it waits for")
            return HookError(why, "see the function's log, which says why")
        # What a function written for API Gateway returns; another may return what it likes.
        status = str(read_object(response.body).get("statusCode"))
        if _STATUS.fullmatch(status) and int(status) >= 400:
            return HookError(
                f"the on-evict hook {self.name} answered {status}, and no row goes without it",
                "see the function's log, which says why",
            )
        return None

    def _explain(self, response: Response) -> Exception:
        code, message = "", response.error
        if response.status is not None:
            code = response.error_type or str(response.status)
            _, message = read_refusal(response.body)
        if code == "ResourceNotFoundException":
            return no_such_hook(self, _VARIABLE)
        return refused_or_failed(
            code,
            message,
            f"{self.permission} on {self.name}",
            self.permission,
            HookError,
            skew_seconds=clock_skew(response.date, self._wall_clock()),
        )
