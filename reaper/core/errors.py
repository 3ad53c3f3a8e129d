"""What the outside world can refuse or fail to do: each fault says why, and what to do about it."""

from __future__ import annotations

from enum import Enum


class Refused(Enum):
    """In which way AWS said no."""

    NOT_GRANTED = "not granted"
    """Nothing allows it: a statement in the role's policy does."""
    FORBIDDEN = "forbidden"
    """Something else forbids it, which no statement in the role's policy can lift."""
    CREDENTIALS = "credentials"
    """Whoever signed is not known, or is no more."""


class Fault(Exception):
    """Something went wrong. As text it is one sentence: why, and after a colon the cure."""

    def __init__(
        self, why: str, cure: str = "", *, refused: Refused | None = None, permission: str = ""
    ) -> None:
        """``why`` holds AWS's own words, where it said any; ``cure`` is what to do, as an order.

        ``permission`` is the IAM action that was refused, where one was.
        """
        super().__init__(f"{why}: {cure}" if cure else why)
        self.why = why
        self.cure = cure
        self.refused = refused
        self.permission = permission


class TableError(Fault):
    """The table could not be used."""


class PartitionTooLarge(TableError):
    """A partition holds more rows than any connection has: it may be somebody else's."""


class TableUnfit(TableError):
    """The table answers, but is not what the settings say."""


class GatewayError(Fault):
    """The gateway refused what it was asked."""


class HeartbeatsRefused(GatewayError):
    """It refused most heartbeats: idle sockets will close."""


class HookError(Fault):
    """An on-evict hook failed."""


class AuditError(Fault):
    """The audit log could not be written to."""


class MessagesUnknown(Fault):
    """CloudWatch did not tell."""
