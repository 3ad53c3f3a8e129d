"""Members go out of their rows: where they are found now, and only if they are still as read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from reaper.core.model import Change
from reaper.core.rows.items import Identity, Item, attribute, identity
from reaper.core.rows.members import Leaving, Member
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.sweep.ports import Table

MAX_CHARACTERS, MAX_OPERATORS = 4000, 300
"""Of the condition of one update: what DynamoDB takes."""

STEP_CHARACTERS, CONDITION_CHARACTERS = 6, 30
"""What a step of a path takes of them, and all else that a condition is written with."""

MAX_LOOKS = 8
"""So often members are looked for in a row that others change meanwhile; then they stay."""


def remove_members(rows: Sequence[Row], table: Table) -> list[Change | Exception]:
    """Remove each member that is still as it was read. Says for each what came of it.

    Raises TableError where their rows cannot be read.
    """
    by_room: defaultdict[Identity, list[Row]] = defaultdict(list)
    for row in rows:
        by_room[identity(row.key)].append(row)
    rooms = {key: _Room(some) for key, some in by_room.items()}
    while unfinished := [room for room in rooms.values() if room.has_more]:
        if lost := [room for room in unfinished if room.must_look]:
            _look(lost, table)
        unfinished = [room for room in unfinished if room.has_more]
        leaving = [room.begin() for room in unfinished]
        changes = table.remove_members(rows[0].shape, leaving)
        for room, change in zip(unfinished, changes, strict=True):
            room.learn(change)
    return [rooms[identity(row.key)].changes[row.identity] for row in rows]


def _look(rooms: Sequence[_Room], table: Table) -> None:
    """Find out where their members are now."""
    found = table.read([room.key for room in rooms])
    key_of = rooms[0].shape.key_of
    items = {identity(key_of(item)): item for item in found}
    for room in rooms:
        room.look(items.get(identity(room.key)))


class _Room:
    """One row of the table, and those of its members that are to go."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {row.identity: row for row in rows}
        self.key, self.shape = rows[0].key, rows[0].shape
        self.changes: dict[Identity, Change | Exception] = {}
        """What came of each of them."""
        self.must_look = True
        self._item: Item = {}
        self._places: dict[Identity, Member] = {}
        """Of those who still have to go."""
        self._going: list[Identity] = []
        self._looks = 0

    @property
    def has_more(self) -> bool:
        return bool(self._undecided)

    def look(self, item: Item | None) -> None:
        """Note where those are who still have to go. Who is not there as it was read stays."""
        self._looks += 1
        self.must_look = False
        self._item, self._places = item or {}, {}
        found = {
            self.shape.identity_of(member.item, member.occurrence): member
            for member in self.shape.members_in(self._item)
        }
        for one in self._undecided:
            if one in found and self._rows[one].is_untouched(found[one].item):
                self._places[one] = found[one]
            else:
                self.changes[one] = Change.REFUSED

    def begin(self) -> Leaving:
        """As many as one update takes, the last of the row first: so nobody else moves."""
        order = sorted(self._places, key=lambda one: self._places[one].position, reverse=True)
        self._going = order if self._is_set_as_a_whole else order[: together(self.shape)]
        return Leaving(self._item, [self._places.pop(one) for one in self._going])

    def learn(self, change: Change | Exception) -> None:
        """What came of those who were to go."""
        if isinstance(change, Exception):
            self.changes |= dict.fromkeys(self._undecided, change)
        elif change is Change.DONE:
            self.changes |= dict.fromkeys(self._going, change)
        elif self._looks < MAX_LOOKS:
            self.must_look = True
        else:
            self.changes |= dict.fromkeys(self._undecided, change)

    @property
    def _undecided(self) -> set[Identity]:
        return self._rows.keys() - self.changes.keys()

    @property
    def _is_set_as_a_whole(self) -> bool:
        """Whether one condition, that on all of it, serves for any number of its members."""
        path = self.shape.collection
        return len(path) > 1 and "SS" in (attribute(self._item, path) or {})


def together(shape: RowShape) -> int:
    """How many members may go in one update."""
    of_member = sum(map(shape.is_beside_id, shape.watched))
    of_row = len(shape.watched) - of_member
    steps = max(map(len, shape.watched)) + 1
    by_length = MAX_CHARACTERS // (STEP_CHARACTERS * steps + CONDITION_CHARACTERS)
    return max(1, (min(by_length, MAX_OPERATORS // 2) - of_row) // of_member)
