"""The clients of AWS's services that one worker uses."""

from __future__ import annotations

from dataclasses import dataclass

from reaper.aws.cloudwatch import CloudWatchMessages
from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.gateway import Gateway
from reaper.aws.hook import Hook
from reaper.aws.session import Access


@dataclass(frozen=True)
class Clients:
    access: Access
    table: ConnectionsTable
    gateway: Gateway
    hooks: list[Hook]
    messages: CloudWatchMessages | None
    """None where CloudWatch is not asked for the application's messages."""

    def close(self) -> None:
        self.gateway.close()
        self.table.close()
        for hook in self.hooks:
            hook.close()
