"""What rows tell of the connection that they hold."""

from __future__ import annotations

from reaper.core.rows.row import opened_at
from tests.support.builders import NOW, a_row


def test_a_connection_is_as_old_as_its_youngest_row():
    assert opened_at([a_row("c", age=900), a_row("c", age=300), a_row("c", age=600)]) == NOW - 300


def test_a_row_that_is_keyed_by_something_else_leaves_the_age_unknown():
    """A user who comes back may have put a new id beside an old time."""
    by_user = a_row("c", age=900)._replace(item={"connectionId": {"S": "user-7"}})
    assert opened_at([a_row("c", age=900), by_user]) is None


def test_one_row_without_a_time_leaves_the_age_unknown():
    assert opened_at([a_row("c", age=900), a_row("c")]) is None
