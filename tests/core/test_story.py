"""The story of a connection, by its audit lines."""

from __future__ import annotations

import pytest

from reaper.core.story import rows_of, story

EVIDENCE = {
    "first_410_at": "2026-11-27T13:00:00.000Z",
    "last_410_at": "2026-11-27T13:02:00.100Z",
    "strikes_at": [
        "2026-11-27T13:00:00.000Z",
        "2026-11-27T13:01:00.000Z",
        "2026-11-27T13:02:00.200Z",
    ],
    "witnesses_at": ["2026-11-27T13:00:40.000Z", "2026-11-27T13:01:50.000Z"],
    "others_alive": 1500,
    "others_gone": 3,
}
EVICTED = {
    "audit": "evict",
    "action": "delete",
    "at": "2026-11-27T13:02:01.000Z",
    "table": "t",
    "reason": "gone",
    "evidence": EVIDENCE,
    "connection_id": "R0o=",
    "endpoint": "https://a/prod",
    "connected_at": "2026-11-27T12:00:00.000Z",
    "last_seen_at": None,
    "goes_along": False,
    "key": {"id": {"S": "R0o="}},
}


def test_every_strike_is_told_with_its_witness():
    assert list(story([EVICTED])) == [
        "2026-11-27T13:02:01.000Z  evicted as gone: it answered 410 three times, while others were"
        " known to live",
        "    its row was deleted",
        "    asked at https://a/prod",
        "    connected at 2026-11-27T12:00:00.000Z",
        "    it first answered 410 at 2026-11-27T13:00:00.000Z",
        "    strike 1 at 2026-11-27T13:00:00.000Z",
        "    strike 2 at 2026-11-27T13:01:00.000Z, after another client, asked at"
        " 2026-11-27T13:00:40.000Z, had answered 200",
        "    strike 3 at 2026-11-27T13:02:00.200Z, after another client, asked at"
        " 2026-11-27T13:01:50.000Z, had answered 200",
        "    it last answered 410 to a probe sent at 2026-11-27T13:02:00.100Z",
        "    of the rows that answered in that sweep 1500 lived and 3 were gone",
        "It can be put back: reaper restore AUDIT_FILE --id ID --dry-run",
    ]


@pytest.mark.parametrize(
    ("says", "end"),
    [
        ("evict", "It can be put back"),
        ("kept", "Its row stayed"),
        ("restored", "It was put back, and has not been evicted since"),
    ],
)
def test_it_ends_with_what_can_be_done(says, end):
    *_, last = story([EVICTED, EVICTED | {"audit": says}])
    assert last.startswith(end)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": "expired", "evidence": EVIDENCE | {"age_seconds": 9000}}, "9000 s old"),
        (
            {"reason": "deaf", "evidence": {"missed_pongs": 3, "last_heartbeat_at": "then"}},
            "none of 3 heartbeats",
        ),
        ({"action": "clear"}, "its id was cleared"),
        ({"action": "hook"}, "left to the on-evict hook"),
        ({"goes_along": True}, "went along with the connection's own"),
        ({"member": ["members", "[]"]}, "taken out of its row"),
        ({"evidence": {}}, "a moment that the line does not tell"),
        ({"evidence": None, "endpoint": None}, "a moment that the line does not tell"),
        ({"evidence": ["a"]}, "a moment that the line does not tell"),
        ({"evidence": EVIDENCE | {"strikes_at": 5, "witnesses_at": "x"}}, "last answered 410"),
        ({"reason": "whim"}, "evicted as whim: see the line"),
    ],
)
def test_each_way_to_go_is_told(changes, told):
    assert told in "\n".join(story([EVICTED | changes]))


def test_the_rows_of_a_connection_are_told_apart():
    others = EVICTED | {"connection_id": "other"}
    second = EVICTED | {"key": {"id": {"S": "second"}}}
    rows = rows_of([EVICTED, others, second, EVICTED], "R0o=")
    assert rows == [[EVICTED, EVICTED], [second]]
