"""A table that no sweep can read is told with its status and the cure."""

from __future__ import annotations

import pytest

from reaper.aws.dynamodb.readiness import check_ready
from reaper.core.errors import TableError, TableUnfit


@pytest.mark.parametrize(
    ("description", "why", "cure"),
    [
        ({"TableStatus": "CREATING"}, "is being created", "wait"),
        (
            {"TableStatus": "CREATING", "RestoreSummary": {"RestoreInProgress": True}},
            "is being restored from a backup (its status is RESTORING)",
            "wait",
        ),
        ({"TableStatus": "DELETING"}, "is being deleted", "REAPER_TABLE_NAME"),
        ({"TableStatus": "ARCHIVED"}, "is archived", "from the backup"),
        (
            {"TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"},
            "the KMS key that encrypts it cannot be used",
            "enable the key",
        ),
    ],
)
def test_what_cannot_be_read(description, why, cure):
    with pytest.raises(TableError) as told:
        check_ready(description, "t", None)
    assert why in told.value.why
    assert cure in told.value.cure


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING", "", "SOMETHING_NEW"])
def test_what_can(status):
    check_ready({"TableStatus": status, "TableArn": "a"}, "t", "a")


def test_another_accounts_table_of_that_name_is_not_it():
    with pytest.raises(TableUnfit, match="these credentials reach the table b"):
        check_ready({"TableArn": "b"}, "t", "a")
