"""What the connection ids of API Gateway look like."""

from __future__ import annotations

import re

_CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{12,24}={0,2}")
"""As in every public transcript: ``R0oXAdfD0kwCH6w=``. The length is not documented, so there is
room. Ids of stand-ins need not look like this."""


def looks_like_id(text: str) -> bool:
    """Whether API Gateway can have issued it."""
    return _CONNECTION_ID.fullmatch(text) is not None


def is_of_one_case(text: str) -> bool:
    """Whether its letters are all small, or all capitals. One true id in some 2,500 is so."""
    return text in (text.lower(), text.upper())
