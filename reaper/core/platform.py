"""What is known of API Gateway, SQS and their prices: each number with where it comes from."""

from __future__ import annotations

MAX_CONNECTION_LIFE_SECONDS = 7200.0
"""No WebSocket connection lives longer (WebSocket API quotas, AWS docs)."""

IDLE_TIMEOUT_SECONDS = 600
"""A socket that was silent for this long is closed, and nothing raises it (same)."""

CONNECT_MAY_TAKE_SECONDS = 30.0
"""A connection answers 410 until its ``$connect`` integration has returned, which takes at most
29 s (same, and AWS's knowledge centre on 410)."""

MAX_NEW_CONNECTIONS_PER_SECOND = 500.0
"""Of an account in a Region, unless AWS raises it (same)."""

DEFAULT_QUOTA_RPS = 10_000
SMALL_QUOTA_RPS = 2_500
"""API Gateway's throttle of an account and Region, shared by all its APIs and by ``@connections``
(API Gateway quotas, AWS docs)."""

SMALL_QUOTA_REGIONS = frozenset(
    {
        *("af-south-1", "ap-south-2", "ca-west-1", "il-central-1", "me-central-1", "mx-central-1"),
        *("ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7"),
        *("eu-central-2", "eu-south-1", "eu-south-2"),
    }
)
"""Regions whose default throttle is the small one (same)."""

DEDUPLICATION_SECONDS = 300.0
"""For so long SQS knows a message again (SQS Developer Guide, "Exactly-once processing")."""

# Prices of US Regions in 2026, in dollars. Check today's before you rely on them.

MESSAGE_DOLLARS = 1.00e-6
"""A WebSocket message of up to 32 KB, either way; so also a heartbeat."""

FIRST_TIER_MESSAGES = 1e9
NEXT_MESSAGE_DOLLARS = 0.80e-6
"""Above a billion messages a month, all APIs of an account in a Region together."""

CONNECTION_MINUTE_DOLLARS = 0.25e-6

READ_UNIT_DOLLARS = 0.125e-6
"""DynamoDB on demand. A scan reads 8 KB for one, a consistent read 4 KB."""

WRITE_UNIT_DOLLARS = 0.625e-6
"""1 KB written or deleted."""


def message_dollars(messages: float, others: float) -> float:
    """What so many messages a month cost on top of the others of that month."""
    return _all_messages(others + messages) - _all_messages(others)


def _all_messages(count: float) -> float:
    first = min(count, FIRST_TIER_MESSAGES)
    return first * MESSAGE_DOLLARS + (count - first) * NEXT_MESSAGE_DOLLARS


def default_quota_rps(region: str) -> float:
    """Requests a second that AWS allows where nobody has asked for more."""
    return SMALL_QUOTA_RPS if region in SMALL_QUOTA_REGIONS else DEFAULT_QUOTA_RPS


MAX_SEGMENTS = 100
"""Of a parallel scan. DynamoDB takes a million; where workers share sweeps each is a message."""
