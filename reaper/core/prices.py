"""AWS's prices in US Regions, 2026, in dollars. Check today's before you rely on them."""

from __future__ import annotations

MESSAGE = 1.00e-6
"""A WebSocket message of up to 32 KB, either way; so also a heartbeat."""

CONNECTION_MINUTE = 0.25e-6
READ_UNIT = 0.125e-6
"""DynamoDB on demand. A scan reads 8 KB for one, a consistent read 4 KB."""

WRITE_UNIT = 0.625e-6
"""1 KB written or deleted."""
