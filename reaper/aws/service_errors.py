"""What an AWS service answered when it refused, out of botocore's exceptions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from reaper.core.errors import Fault
from reaper.core.refusals import explain_refusal, tidied

Kind = TypeVar("Kind", bound=Fault)

NOT_ITS_OWN = "its answer is not AWS's own: is there a proxy or a firewall in between?"

AWS_FAULTS = (BotoCoreError, ClientError, ResponseParserError)
"""Whatever a call of one of botocore's clients raises; the last where an answer is not AWS's."""


def error_response(error: BaseException) -> dict[str, Any]:
    """The ``Error`` of a service's answer: ``Code`` and ``Message``; empty where none came.

    botocore's errors of the connection have a response too, and it is None.
    """
    response = getattr(error, "response", None) or {}
    return dict(response.get("Error", {}))


def fault_of(
    error: BaseException, what: str, permission: str, kind: type[Kind], cure: str = ""
) -> Kind:
    """What one of botocore's exceptions means; ``cure`` is for what AWS does not explain."""
    answer = error_response(error)
    code = str(answer.get("Code", ""))
    message = str(answer.get("Message", "")) if code else str(error)
    if isinstance(error, ResponseParserError):
        message = NOT_ITS_OWN
    return refused_or_failed(code, message, what, permission, kind, cure, skew_of(error))


def refused_or_failed(
    code: str,
    message: str,
    what: str,
    permission: str,
    kind: type[Kind],
    cure: str = "",
    skew_seconds: float | None = None,
) -> Kind:
    """A fault in AWS's own words; ``code`` is empty where no answer came.

    ``what`` was tried, such as ``dynamodb:Scan on table connections``.
    """
    if refusal := explain_refusal(code, message, permission, skew_seconds):
        return kind(
            f"{what} {refusal.why}",
            refusal.cure,
            refused=refusal.refused,
            permission=permission,
        )
    words = ": ".join(filter(None, (code, NOT_ITS_OWN if is_page(message) else tidied(message))))
    return kind(f"{what} failed: {words}", cure)


def is_page(text: str | bytes) -> bool:
    """Whether it is HTML, which no AWS service answers: it may hold anything, at any length."""
    start = text[:200].lstrip()
    return start.startswith("<") if isinstance(start, str) else start.startswith(b"<")


@lru_cache(8)
def epoch_of_date(header: str) -> float | None:
    """When an answer was given, by its Date header, which changes once a second; None for none."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def clock_skew(date: str, now: float) -> float | None:
    """By how many seconds ``now`` is ahead of an answer's Date header; None where it is none."""
    said_at = epoch_of_date(date)
    return None if said_at is None else now - said_at


def skew_of(error: BaseException) -> float | None:
    """The same, of one of botocore's exceptions."""
    at: BaseException | None = error
    while at is not None:  # pynamodb's hide the headers in those that they are made from
        response = getattr(at, "response", None) or {}
        headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if "date" in headers:
            return clock_skew(headers["date"], time.time())
        at = at.__cause__ or at.__context__
    return None
