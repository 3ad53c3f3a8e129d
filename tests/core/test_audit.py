"""Audit lines: what is written is read back, and what is no whole line is told."""

from __future__ import annotations

import json

import pytest

from reaper.core.audit import EVICT, audit_entry, parse_line
from reaper.core.model import Reason, Zombie
from reaper.core.rows.items import attribute_path
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.sweep_rules import EvictAction
from tests.support.builders import ENDPOINT

SHAPE = RowShape(("room",), attribute_path("members[]"), (), (), ()).of_members


def a_line(occurrence: int = 0, **changes) -> str:
    item = {"room": {"S": "r"}, "members": {"L": [{"S": "a"}]}}
    row = Row(item, SHAPE, "a", ENDPOINT, None, None, 0, None, occurrence)
    entry = audit_entry(
        EVICT,
        Zombie(row, Reason.GONE, {}),
        item,
        at=1.0,
        table="t",
        key=row.key,
        action=EvictAction.CLEAR,
        cleared=None,
        goes_along=False,
    )
    return json.dumps({name: value for name, value in (entry | changes).items() if value != ...})


def test_a_member_is_read_back_with_its_place():
    line = parse_line(a_line(2))
    assert (line.member, line.member_id, line.occurrence) == (("members", "[]"), "a", 2)
    assert len({parse_line(a_line(n)).identity for n in (0, 0, 1)}) == 2


def test_lines_from_before_there_were_members_are_of_rows():
    whole = a_line(action="delete", member=..., occurrence=..., changed=...)
    line = parse_line(whole)
    assert (line.member, line.changed, line.occurrence) == ((), (), 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"member": ["members"]},
        {"member": ["others", "[]"]},
        {"member": 5},
        {"item": {"room": {"S": "r"}}},
        {"item": {"room": {"S": "r"}, "members": {"L": [{"S": "a"}, {"S": "b"}]}}},
        {"key": {"room": {"S": "another"}}},
        {"key": ...},
        {"occurrence": [1]},
        {"reason": ["gone"]},
        {"table": 5},
        {"at": 10**400},
        {"at": "yesterday"},
        {"item": {"room": ["r"], "members": {"L": [{"S": "a"}]}}, "key": {"room": ["r"]}},
    ],
)
def test_a_damaged_line_is_told(changes):
    with pytest.raises(ValueError, match=r"does not|has a key|no whole line|Invalid isoformat"):
        parse_line(a_line(**changes))


def test_of_a_users_entry_the_last_line_counts_and_of_a_list_each():
    def identity_of(member, held):
        return parse_line(a_line(member=member, item={"room": {"S": "r"}, "m": held})).identity

    def entry(name, one):
        return {"M": {name: {"M": {"id": {"S": one}}}}}

    users = ["m", "{}", "id"]
    assert identity_of(users, entry("ann", "a")) == identity_of(users, entry("ann", "b"))
    assert identity_of(users, entry("ann", "a")) != identity_of(users, entry("bob", "a"))
    people = ["m", "[]", "id"]
    first, second = ({"L": [{"M": {"id": {"S": "a"}, "n": {"N": str(n)}}}]} for n in range(2))
    assert identity_of(people, first) != identity_of(people, second)
