"""Members go where they are found, and stay where they are not as they were read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from reaper.core.errors import TableError
from reaper.core.model import Change
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import Item, attribute_path
from reaper.core.rows.members import Leaving
from reaper.core.rows.reader import RowReader
from reaper.core.rows.shape import RowShape
from reaper.sweep.eviction.members import MAX_LOOKS, remove_members, together
from tests.support.builders import ENDPOINT, NOW
from tests.support.world import World

SHAPE = RowShape(
    ("room",), attribute_path("people[].id"), (), attribute_path("people[].seen"), ()
).of_members


class Room(World):
    """A row of the table, which somebody changes before each update of it."""

    def __init__(self, *names: str) -> None:
        super().__init__(key_name="room")
        self.updates: list[int] = []
        self.looks = 0
        self.before_update: Callable[[], None] = lambda: None
        self.put(*names)

    def put(self, *names: str, **seen: str) -> None:
        people = [{"M": {"id": {"S": n}, "seen": {"N": seen.get(n, "1")}}} for n in names]
        self.rows["r"] = {"room": {"S": "r"}, "people": {"L": people}}

    def read(self, keys: Sequence[Item]) -> list[Item]:
        self.looks += 1
        return super().read(keys)

    def remove_from(self, shape: RowShape, leaving: Leaving) -> Change:
        self.before_update()
        self.updates.append(len(leaving.members))
        return super().remove_from(shape, leaving)

    def must_be_audited(self, item: Item) -> None:
        """Here is no audit log."""

    def remove(self, *names: str) -> list[Change | Exception]:
        rows = RowReader(SHAPE, EndpointResolver(ENDPOINT, ENDPOINT.region)).read_page(
            list(self.rows.values()), NOW
        )
        return remove_members([row for row in rows if row.connection_id in names], self)

    @property
    def names(self) -> list[str]:
        return [one["M"]["id"]["S"] for one in self.rows["r"]["people"]["L"]]


DONE, REFUSED = Change.DONE, Change.REFUSED


def test_of_one_row_they_go_together():
    room = Room("a", "b", "c", "d")
    assert room.remove("a", "c") == [DONE, DONE]
    assert (room.names, room.updates, room.looks) == (["b", "d"], [2], 1)


def test_as_many_as_an_update_takes():
    most = together(SHAPE)
    names = [f"n{n}" for n in range(2 * most + 1)]
    room = Room(*names)
    assert set(room.remove(*names)) == {DONE}
    assert (room.names, room.updates, room.looks) == ([], [most, most, 1], 1)


def test_who_was_moved_meanwhile_is_found_again():
    room = Room("a", "b", "c")
    moves = iter([("x", "a", "b", "c"), ("c", "b", "y", "a")])
    room.before_update = lambda: room.put(*next(moves, room.names))
    assert room.remove("a", "c") == [DONE, DONE]
    assert room.names == ["b", "y"]


def test_who_has_left_or_was_touched_meanwhile_stays_as_it_is():
    room = Room("a", "b", "c", "d")
    changes = iter([lambda: room.put("d", "b", "a", b="2")])
    room.before_update = lambda: next(changes, lambda: None)()
    assert room.remove("a", "b", "c") == [DONE, REFUSED, REFUSED]
    assert room.names == ["d", "b"]


def test_a_row_that_is_gone_has_no_members():
    room = Room("a")
    room.before_update = room.rows.clear
    assert room.remove("a") == [REFUSED]


def test_a_row_that_never_stands_still_is_left_alone():
    room = Room("a", "b")
    room.before_update = lambda: room.put(*reversed(room.names))
    assert room.remove("a") == [REFUSED]
    assert (sorted(room.names), room.looks) == (["a", "b"], MAX_LOOKS)


def test_who_stands_twice_in_a_row_goes_twice():
    room = Room("a", "b", "a")
    assert room.remove("a") == [DONE, DONE]
    assert (room.names, room.updates) == (["b"], [2])


def test_a_table_that_refuses_is_not_asked_again():
    room = Room(*(f"n{n}" for n in range(100)))
    room.delete_fails = TableError("it is throttled")
    assert {str(one) for one in room.remove("n1", "n2")} == {"it is throttled"}
    assert len(room.updates) == 1


@pytest.mark.parametrize("seen", ["1", "2"])
def test_what_was_read_is_what_counts_and_not_what_was_found_later(seen):
    room = Room("a", "b")
    rows = RowReader(SHAPE, EndpointResolver(ENDPOINT, ENDPOINT.region)).read_page(
        list(room.rows.values()), NOW
    )
    room.put("a", "b", a=seen)
    assert remove_members(rows[:1], room) == [DONE if seen == "1" else REFUSED]
