"""Whether a table can be read, by what DescribeTable says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reaper.core.errors import TableError, TableUnfit

_WAIT = "wait: sweeps begin by themselves when it is there"
_NOT_READY = {
    "ARCHIVED": (
        "is archived: its KMS key could not be used for seven days",
        "restore it from the backup that DynamoDB made of it",
    ),
    "CREATING": ("is being created", _WAIT),
    "DELETING": ("is being deleted", "stop the reaper, or correct REAPER_TABLE_NAME"),
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": (
        "cannot be read: the KMS key that encrypts it cannot be used",
        "enable the key, or cancel its deletion, within seven days: then DynamoDB archives the"
        " table",
    ),
    "RESTORING": ("is being restored from a backup", _WAIT),
}
"""Why no sweep can read it, and the cure."""


def check_ready(description: Mapping[str, Any], name: str, arn_wanted: str | None) -> None:
    """Raises TableError where it cannot serve for the time being, TableUnfit where it is another.

    ``description`` is DescribeTable's ``Table``; ``arn_wanted`` is None where any will do.
    """
    arn = description.get("TableArn")
    if arn_wanted is not None and arn != arn_wanted:
        raise TableUnfit(
            f"these credentials reach the table {arn}, and REAPER_TABLE_NAME is {arn_wanted}",
            "use credentials of the table's own account",
        )
    status = description.get("TableStatus", "")
    if status == "CREATING" and description.get("RestoreSummary", {}).get("RestoreInProgress"):
        status = "RESTORING"
    if status in _NOT_READY:
        what, cure = _NOT_READY[status]
        raise TableError(f"table {name} {what} (its status is {status})", cure)
