"""Who is told of what."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from reaper.core.errors import TableError
from reaper.telemetry.history import History
from reaper.telemetry.publish import Publisher


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (TableError("table t is gone"), "table t is gone"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("R0oXAdfD0kwCH6w="), "ValueError"),
    ],
)
def test_what_is_worded_by_others_stays_in_the_log(fault, told):
    """It may hold a piece of a row, and alerts and the page must not."""
    heard: list[str] = []
    alerts = SimpleNamespace(alert=lambda kind, why, report: heard.append(why))
    history = History()
    Publisher([], alerts, history, 0).publish_fault(fault)
    assert heard == [history.fault.why]
    assert told in heard[0]
    assert "R0oX" not in json.dumps(heard)
