"""What an AWS service answered when it refused, out of botocore's exceptions."""

from __future__ import annotations

from typing import Any


def error_response(error: BaseException) -> dict[str, Any]:
    """The ``Error`` of a service's answer: ``Code`` and ``Message``; empty where none came.

    botocore's errors of the connection have a response too, and it is None.
    """
    response = getattr(error, "response", None) or {}
    return dict(response.get("Error", {}))


def is_denied(error: BaseException) -> bool:
    """Whether a permission is missing, for which CloudWatch and SQS have two names each."""
    return error_response(error).get("Code") in ("AccessDenied", "AccessDeniedException")
