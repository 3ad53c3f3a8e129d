"""API Gateway's throttle, per account and Region, shared by all its APIs and by @connections."""

from __future__ import annotations

DEFAULT_QUOTA_RPS = 10_000
SMALL_QUOTA_RPS = 2_500
SMALL_QUOTA_REGIONS = frozenset(
    {
        *("af-south-1", "ap-south-2", "ca-west-1", "il-central-1", "me-central-1", "mx-central-1"),
        *("ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7"),
        *("eu-central-2", "eu-south-1", "eu-south-2"),
    }
)
"""Regions whose default API Gateway throttle is the small one (API Gateway quotas, AWS docs)."""


def default_quota_rps(region: str) -> float:
    """Requests a second that AWS allows where nobody has asked for more."""
    return SMALL_QUOTA_RPS if region in SMALL_QUOTA_REGIONS else DEFAULT_QUOTA_RPS
