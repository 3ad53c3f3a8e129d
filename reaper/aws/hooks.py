"""On-evict hooks: the application hears of a reaped connection before its row goes.

At least once: whoever is told and then keeps us from evicting, or dies in between, is told again
by a later sweep.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reaper.aws.errors import HookAccessDenied, HookError, error_response
from reaper.aws.session import API_CONFIG
from reaper.core.events import EVENT_DETAIL_TYPE, EVENT_SOURCE, disconnect_event, eviction_event
from reaper.core.model import Zombie
from reaper.core.policy import partition

TOLD_AT_ONCE = 20
"""The most zombies that a hook is given at a time."""

LONGEST_INVOCATION_SECONDS = 30
"""API Gateway waits 29 s for an integration, so ``$disconnect`` code is quicker than that."""

EVENTS_AT_ONCE = 10
"""The most entries that PutEvents takes."""

RESERVED_SOURCE = "aws.nobody"
"""Sources that begin with ``aws.`` are AWS's own: an entry with one is never delivered."""


class Hook(Protocol):
    """Told of zombies, at most ``TOLD_AT_ONCE``; returns for each what went wrong, or None."""

    permission: str
    name: str
    """As the operator gave it."""
    arn: str
    """What its permission is granted on."""

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]: ...
    def try_out(self) -> None: ...


class LambdaHook:
    """Invokes the application's ``$disconnect`` function and waits for its success."""

    permission = "lambda:InvokeFunction"

    def __init__(
        self,
        session: boto3.Session,
        region: str,
        function: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``function`` is a name or an ARN, which may lead to another Region."""
        self.name = function
        self.arn = _arn(function, f"lambda:{region}:*:function:{function}", region)
        self._wall_clock = wall_clock
        self._client = session.client(
            "lambda",
            region_name=_region_of_arn(function) or region,
            config=API_CONFIG.merge(
                Config(
                    read_timeout=LONGEST_INVOCATION_SECONDS,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=TOLD_AT_ONCE,
                )
            ),
        )

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        with ThreadPoolExecutor(TOLD_AT_ONCE, thread_name_prefix="on-evict") as pool:
            return list(pool.map(self._tell, zombies))

    def try_out(self) -> None:
        """Ask whether the function is there and may be invoked. Raises HookError."""
        self._invoke(InvocationType="DryRun")

    def _tell(self, zombie: Zombie) -> Exception | None:
        event = disconnect_event(zombie, self._wall_clock())
        try:
            answer = self._invoke(Payload=json.dumps(event).encode())
            payload = answer["Payload"].read()
        except (HookError, BotoCoreError) as error:
            return error
        if "FunctionError" in answer:
            return HookError(f"{self.name} failed: its own log says why")
        status = _status_code(payload)
        if status is not None and status >= 400:
            return HookError(f"{self.name} answered {status}")
        return None

    def _invoke(self, **arguments: Any) -> Any:
        try:
            return self._client.invoke(FunctionName=self.name, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise _explain(error, self, "REAPER_ON_EVICT_LAMBDA") from None


class EventBusHook:
    """Puts an event per zombie on an EventBridge bus."""

    permission = "events:PutEvents"

    def __init__(
        self,
        session: boto3.Session,
        region: str,
        bus: str,
        table: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``bus`` is a name or an ARN, which may lead to another Region."""
        self.name = bus
        self.arn = _arn(bus, f"events:{region}:*:event-bus/{bus}", region)
        self._table = table
        self._wall_clock = wall_clock
        self._is_described = False
        self._client = session.client(
            "events", region_name=_region_of_arn(bus) or region, config=API_CONFIG
        )

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        results: list[Exception | None] = []
        for start in range(0, len(zombies), EVENTS_AT_ONCE):
            results += self._put(zombies[start : start + EVENTS_AT_ONCE])
        return results

    def try_out(self) -> None:
        """Ask whether the bus is there and may be written to. Raises HookError.

        Without an event on it: EventBridge refuses those that claim to be AWS's own.
        """
        self._describe()
        self._call([self._entry("{}") | {"Source": RESERVED_SOURCE}])

    def _describe(self) -> None:
        """Once, before anything is entrusted to it: PutEvents succeeds without a bus."""
        try:
            self._client.describe_event_bus(Name=self.name)
        except (BotoCoreError, ClientError) as error:
            raise _explain(
                error, self, "REAPER_ON_EVICT_EVENT_BUS", "events:DescribeEventBus"
            ) from None
        self._is_described = True

    def _put(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        """PutEvents says nothing of a bus that does not exist, so that is asked for first."""
        now = self._wall_clock()
        details = [
            msgspec.json.encode(eviction_event(one, self._table, now)).decode() for one in zombies
        ]
        try:
            if not self._is_described:
                self._describe()
            answer = self._call([self._entry(detail) for detail in details])
        except HookError as error:
            return [error] * len(zombies)
        return [
            HookError(f"event bus {self.name} refused an event: {entry['ErrorCode']}")
            if entry.get("ErrorCode")
            else None
            for entry in answer["Entries"]
        ]

    def _entry(self, detail: str) -> dict[str, Any]:
        return {
            "EventBusName": self.name,
            "Source": EVENT_SOURCE,
            "DetailType": EVENT_DETAIL_TYPE,
            "Detail": detail,
        }

    def _call(self, entries: list[dict[str, Any]]) -> Any:
        try:
            return self._client.put_events(Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise _explain(error, self, "REAPER_ON_EVICT_EVENT_BUS") from None


def _explain(error: Exception, hook: Hook, variable: str, permission: str = "") -> HookError:
    permission = permission or hook.permission
    what, answer = f"{permission} on {hook.name}", error_response(error)
    match answer.get("Code"):
        case "AccessDeniedException" | "AccessDenied":
            return HookAccessDenied(f"{what} is not granted to these credentials", permission)
        case "ResourceNotFoundException":
            return HookError(f"there is no {hook.arn}: correct {variable}")
        case None:
            return HookError(f"{what} failed: {error}")
        case code:
            return HookError(f"{what} failed: {code}: {answer.get('Message', '')}")


def _arn(name: str, rest: str, region: str) -> str:
    return name if name.startswith("arn:") else f"arn:{partition(region)}:{rest}"


def _region_of_arn(name: str) -> str | None:
    return name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 5 else None


def _status_code(payload: bytes) -> int | None:
    """What a function written for API Gateway returns; None where it returns something else."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    return int(str(status)) if str(status).isdigit() else None
