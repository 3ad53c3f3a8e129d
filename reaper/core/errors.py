"""What AWS's services can refuse, each with words that name the cure."""

from __future__ import annotations


class AccessDenied(Exception):
    """The credentials lack a permission; the message names it."""


class TableError(Exception):
    """The table could not be used. The message names the cure."""


class PartitionTooLarge(TableError):
    """A partition holds more rows than any connection has: it may be somebody else's."""


class TableUnfit(TableError):
    """The table answers, but is not what the settings say."""


class TableAccessDenied(TableError, AccessDenied):
    """The table could not be used, because a permission is missing."""


class HookError(Exception):
    """An on-evict hook failed. The message names the cure."""


class HookAccessDenied(HookError, AccessDenied):
    """An on-evict hook may not be called, because a permission is missing."""

    def __init__(self, message: str, permission: str) -> None:
        super().__init__(message)
        self.permission = permission


class MessagesUnknown(Exception):
    """CloudWatch did not tell. The message names the reason."""
