"""What the connection ids of API Gateway look like."""

from __future__ import annotations

import re

from reaper.core.rows.items import AttributeValue, text_of

_CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{12,24}={0,2}")
"""As in every public transcript: ``R0oXAdfD0kwCH6w=``. The length is not documented, so there is
room. Ids of stand-ins need not look like this."""


_EDGE = "[A-Za-z0-9+/=_-]"


def looks_like_id(text: str) -> bool:
    """Whether API Gateway can have issued it."""
    return _CONNECTION_ID.fullmatch(text) is not None


def is_of_one_case(text: str) -> bool:
    """Whether its letters are all small, or all capitals. One true id in some 2,500 is so."""
    return text.lower() == text or text.upper() == text


def is_own_partition(key: AttributeValue, connection_id: str) -> bool:
    """Whether a partition key is this connection's own, as ``abc=`` and ``CONN#host#abc=`` are."""
    whole = f"(?<!{_EDGE}){re.escape(connection_id)}(?!{_EDGE})"
    return re.search(whole, text_of(key) or "") is not None
