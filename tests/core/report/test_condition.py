"""The one state, and what it follows from."""

from __future__ import annotations

import pytest

from reaper.core.report.condition import (
    FAILURES_TO_FAIL,
    STUCK_AFTER_SECONDS,
    Condition,
    Record,
    State,
)
from reaper.core.report.troubles import Kind, Trouble

NOW = 10_000.0
HELD = Trouble(Kind.EVICTIONS_HELD, "7 evictions are held", "wait")
LOST = Trouble(Kind.TABLE_UNREACHABLE, "there is no table t", "correct REAPER_TABLE_NAME")


def a_record(**facts) -> Record:
    return Record(interval_seconds=300, started_at=NOW, **facts)


@pytest.mark.parametrize(
    ("record", "after", "state"),
    [
        (a_record(), 10, State.STARTING),
        (a_record(), 901, State.FAILING),
        (a_record(succeeded_at=NOW), 10, State.OK),
        (a_record(succeeded_at=NOW), 900, State.OK),
        (a_record(succeeded_at=NOW), 901, State.FAILING),
        (a_record(succeeded_at=NOW, troubles=[HELD]), 10, State.DEGRADED),
        (a_record(failures=1, troubles=[LOST]), 1, State.FAILING),
        (a_record(succeeded_at=NOW, failures=1, troubles=[LOST]), 1, State.DEGRADED),
        (
            a_record(succeeded_at=NOW, failures=FAILURES_TO_FAIL, troubles=[LOST]),
            1,
            State.FAILING,
        ),
        (a_record(succeeded_at=NOW, moved_at=NOW), STUCK_AFTER_SECONDS, State.OK),
        (a_record(succeeded_at=NOW, moved_at=NOW), STUCK_AFTER_SECONDS + 1, State.FAILING),
        (a_record(troubles=[HELD]), 10, State.DEGRADED),
        (a_record(moved_at=NOW + 5000), 5001, State.DEGRADED),
        (a_record(succeeded_at=NOW, moved_at=NOW + 5000), 5001, State.DEGRADED),
        (a_record(succeeded_at=NOW, troubles=[HELD]), 5001, State.FAILING),
    ],
)
def test_the_state_follows_from_the_sweeps(record, after, state):
    assert record.judge(NOW + after).state is state


def test_it_says_what_is_worst_and_what_to_do_about_it():
    record = a_record(succeeded_at=NOW, failures=1, troubles=[LOST, HELD])
    judgement = record.judge(NOW + 1)
    assert judgement.why == (
        "the last sweep failed: there is no table t (and 1 more: evictions-held)"
    )
    assert judgement.next == "correct REAPER_TABLE_NAME"


def test_every_state_says_why_and_what_next():
    for record, after in ((a_record(), 0), (a_record(), 901), (a_record(succeeded_at=NOW), 0)):
        judgement = record.judge(NOW + after)
        assert judgement.why
        assert judgement.next


def test_as_json_it_has_four_texts():
    told = Condition(State.OK, 1_795_500_000.0, "why", "nothing").to_dict()
    assert told == {
        "state": "ok",
        "since": "2026-11-24T06:00:00.000Z",
        "why": "why",
        "next": "nothing",
    }
