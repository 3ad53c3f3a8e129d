"""Worlds in which a row of the table is a room, and connections are its members."""

from __future__ import annotations

import itertools
from dataclasses import replace
from enum import StrEnum

from reaper.core.model import Change
from reaper.core.rows.items import AttributeValue, Item, Position
from reaper.core.rows.members import Leaving
from reaper.core.rows.shape import RowShape
from tests.support.simulation import Design, Life
from tests.support.world import SHAPE, PromiseBroken, without

ROOMS = 3


class Hold(StrEnum):
    """How a room holds its members."""

    SET = "a set of ids"
    LIST = "a list of ids"
    MAPS = "a list of maps"
    KEYED = "a map keyed by ids"


class RoomLife(Life):
    """Clients come into one room or several, and go; whoever writes a room changes all of it."""

    def __init__(self, seed: int, design: Design, hold: Hold) -> None:
        super().__init__(seed, replace(design, keyed_by_user=False, expects_pongs=False))
        self.key_name = "roomId"
        self.hold = hold
        self._strangers = itertools.count()

    @property
    def shape(self) -> RowShape:
        own = {
            "connection_id": ("clients", "{}") if self.hold is Hold.KEYED else ("clients", "[]"),
            "connected_at": ("clients", "[]", "connectedAt"),
            "last_seen_at": ("clients", "[]", "lastSeenAt"),
        }
        if self.hold is Hold.MAPS:
            own["connection_id"] = ("clients", "[]", "connectionId")
        if self.hold is Hold.KEYED:
            own["connected_at"] = ("clients", "{}", "connectedAt")
            own["last_seen_at"] = ("clients", "{}", "lastSeenAt")
        return replace(SHAPE, key_names=("roomId",), **own).of_members

    def settle_down(self) -> None:
        """With somebody alive at each endpoint: no age convicts a member that stands beside one."""
        self.connect("anchor of the other end", stays=True)
        super().settle_down()

    # The application

    def _put(self, user: str, connection: str, item: Item) -> None:
        endpoint = {name: item.pop(name) for name in ["endpoint"] if name in item}
        suffix = "-other" if endpoint else ""
        rooms = self.random.sample(range(ROOMS), self.random.choice([1, 1, 2]))
        for room in (f"room{n}{suffix}" for n in rooms):
            self.rows.setdefault(room, {"roomId": {"S": room}, "title": {"S": "a room"}} | endpoint)
            self._join(room, connection, item)

    def _join(self, room: str, connection: str, item: Item) -> None:
        held = self._members(room)
        if self.hold is Hold.SET:
            members: AttributeValue = {"SS": [*held.get("SS", []), connection]}
        elif self.hold is Hold.KEYED:
            members = {"M": held.get("M", {}) | {connection: {"M": item}}}
        else:
            own = {"S": connection} if self.hold is Hold.LIST else {"M": item}
            there = [*held.get("L", []), own]
            if self.random.random() < 0.5:
                there.reverse()
            members = {"L": there}
        self.rows[room] = self.rows[room] | {"clients": members}

    def _take_out(self, connection: str) -> None:
        for room in self.rows:
            self._drop(room, connection)

    def _drop(self, room: str, connection: str) -> None:
        gone = {position for position, one in self._ids(room).items() if one == connection}
        if gone:
            self.rows[room] = without(self.rows[room], ("clients",), gone)

    def _note_seen(self, connection: str, at: AttributeValue) -> None:
        if self.hold not in (Hold.MAPS, Hold.KEYED):
            return
        for room in self.rows:
            held = self._members(room)
            for position, one in self._ids(room).items():
                if one == connection:
                    ((_, members),) = held.items()
                    members[position] = {"M": members[position]["M"] | {"lastSeenAt": at}}
            self.rows[room] = self.rows[room] | {"clients": held}

    def _members(self, room: str) -> AttributeValue:
        """A copy of them."""
        held = self.rows[room].get("clients", {})
        return {kind: members.copy() for kind, members in held.items()}

    def _ids(self, room: str) -> dict[Position, str]:
        ((kind, held),) = (self._members(room) or {"L": []}).items()
        if kind in ("M", "SS"):
            return {one: one for one in held}
        return {n: one.get("S") or one["M"]["connectionId"]["S"] for n, one in enumerate(held)}

    @property
    def _held(self) -> set[str]:
        return {one for room in self.rows for one in self._ids(room).values()}

    # The table

    def remove_from(self, shape: RowShape, leaving: Leaving) -> Change:
        self._meet_troubles()
        room = leaving.item["roomId"]["S"]
        if not self.is_settling and self.random.random() < 0.3:
            self._stir(room)
        before = set(self._ids(room).values())
        change = super().remove_from(shape, leaving)
        went = before - set(self._ids(room).values())
        if went & self.living:
            raise PromiseBroken(f"{went & self.living} went out of {room}, and are alive")
        if (change is Change.DONE) != bool(went):
            raise PromiseBroken(f"{went} went out of {room}, and it was said: {change.value}")
        return change

    def _stir(self, room: str) -> None:
        """Somebody else writes the room just then."""
        if self.random.random() < 0.5:
            stranger = f"stranger-{next(self._strangers)}"
            self.living.add(stranger)
            self._open(stranger)
            at = {"N": str(self.wall_clock())}
            self._join(room, stranger, {"connectionId": {"S": stranger}, "connectedAt": at})
        elif leavers := sorted(set(self._ids(room).values()) - self.living - self.alive):
            self._drop(room, self.random.choice(leavers))
