"""The on-evict hook that puts events on an EventBridge bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import boto3
import msgspec

from reaper.aws.hook import explain, region_of_arn
from reaper.aws.service_errors import AWS_FAULTS
from reaper.aws.session import API_CONFIG
from reaper.core.errors import HookError
from reaper.core.events import EVENT_DETAIL_TYPE, EVENT_SOURCE, eviction_event
from reaper.core.iam import arn_of_named
from reaper.core.model import Zombie

MAX_EVENTS_PER_CALL = 10
"""The most entries that PutEvents takes."""

RESERVED_SOURCE = "aws.nobody"
"""Sources that begin with ``aws.`` are AWS's own: an entry with one is never delivered."""


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
        self.arn = arn_of_named(bus, "events", region, f"event-bus/{bus}")
        self._table = table
        self._wall_clock = wall_clock
        self._is_described = False
        self._client = session.client(
            "events", region_name=region_of_arn(bus) or region, config=API_CONFIG
        )

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        results: list[Exception | None] = []
        for start in range(0, len(zombies), MAX_EVENTS_PER_CALL):
            results += self._put(zombies[start : start + MAX_EVENTS_PER_CALL])
        return results

    def try_out(self) -> None:
        """Ask whether the bus is there and may be written to. Raises HookError.

        Without an event on it: EventBridge refuses those that claim to be AWS's own.
        """
        self._describe()
        self._call([self._entry("{}") | {"Source": RESERVED_SOURCE}])

    def close(self) -> None:
        """botocore's clients need none."""

    def _describe(self) -> None:
        """Once, before anything is entrusted to it: PutEvents succeeds without a bus."""
        try:
            self._client.describe_event_bus(Name=self.name)
        except AWS_FAULTS as error:
            raise explain(
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
        except AWS_FAULTS as error:
            raise explain(error, self, "REAPER_ON_EVICT_EVENT_BUS") from None
