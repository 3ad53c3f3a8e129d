"""The on-evict hook that is the application's own ``$disconnect`` function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reaper.aws.hook import arn_of, explain, region_of_arn
from reaper.aws.session import API_CONFIG
from reaper.core.errors import HookError
from reaper.core.events import HOOK_BATCH, disconnect_event
from reaper.core.model import Zombie

MAX_INVOCATION_SECONDS = 30
"""API Gateway waits 29 s for an integration, so ``$disconnect`` code is quicker than that."""


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
        self.arn = arn_of(function, f"lambda:{region}:*:function:{function}", region)
        self._wall_clock = wall_clock
        self._client = session.client(
            "lambda",
            region_name=region_of_arn(function) or region,
            config=API_CONFIG.merge(
                Config(
                    read_timeout=MAX_INVOCATION_SECONDS,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=HOOK_BATCH,
                )
            ),
        )

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        with ThreadPoolExecutor(HOOK_BATCH, thread_name_prefix="on-evict") as pool:
            return list(pool.map(self._tell, zombies))

    def try_out(self) -> None:
        """Ask whether the function is there and may be invoked. Raises HookError."""
        self._invoke(InvocationType="DryRun")

    def _tell(self, zombie: Zombie) -> Exception | None:
        event = disconnect_event(zombie, self._wall_clock(), f"reaper-{uuid4()}")
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
            raise explain(error, self, "REAPER_ON_EVICT_LAMBDA") from None


def _status_code(payload: bytes) -> int | None:
    """What a function written for API Gateway returns; None where it returns something else."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    return int(str(status)) if str(status).isdigit() else None
