"""What AWS's services can refuse, each with words that name the cure."""

from __future__ import annotations

from typing import Any


class AccessDenied(Exception):
    """The credentials lack a permission; the message names it."""


class TableError(Exception):
    """The table could not be used. The message names the cure."""


class TableUnfit(TableError):
    """The table answers, but is not what the settings say."""


class TableAccessDenied(TableError, AccessDenied):
    """The table could not be used, because a permission is missing."""


class ConditionFailed(Exception):
    """The row is not, or no longer, what the condition says."""


class HookError(Exception):
    """An on-evict hook failed. The message names the cure."""


class HookAccessDenied(HookError, AccessDenied):
    """An on-evict hook may not be called, because a permission is missing."""

    def __init__(self, message: str, permission: str) -> None:
        super().__init__(message)
        self.permission = permission


def error_response(error: BaseException) -> dict[str, Any]:
    """The ``Error`` of a service's answer: ``Code`` and ``Message``; empty where none came.

    botocore's errors of the connection have a response too, and it is None.
    """
    response = getattr(error, "response", None) or {}
    return dict(response.get("Error", {}))


def is_denied(error: BaseException) -> bool:
    """Whether a permission is missing, for which CloudWatch and SQS have two names each."""
    return error_response(error).get("Code") in ("AccessDenied", "AccessDeniedException")
