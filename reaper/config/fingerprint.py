"""What workers who share sweeps must have in common, as digests that can be compared."""

from __future__ import annotations

from hashlib import sha256

from reaper.config.effective import given
from reaper.config.settings import PREFIX, variables

OF_ONE_WORKER = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("TABLE_NAME", "QUEUE_URL"),  # they have these in common, or never meet
        *("AUDIT_LOG", "HTTP_BIND", "LOG_FORMAT", "LOG_LEVEL", "ALERT_COOLDOWN_SECONDS"),
        *("METRICS", "METRICS_NAMESPACE", "MESSAGE_SOURCE"),
        *("MAX_IN_FLIGHT", "PROBE_TIMEOUT_SECONDS"),
    )
)
"""What each may have as it likes: it decides of no row and of no heartbeat."""

DIGITS = 12


def fingerprint() -> dict[str, str]:
    """Of each variable that is not at its default, a digest of its value: it may be a secret."""
    found = {}
    for name, variable in variables().items():
        value = given(name, variable)
        if value is not None and value != variable.default and name not in OF_ONE_WORKER:
            found[name] = sha256(value.encode()).hexdigest()[:DIGITS]
    return found
