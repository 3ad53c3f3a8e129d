"""The last look at zombies before they go: what is still as it was read, and what goes along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reaper.core.model import Reason, Zombie
from reaper.removal import Eviction, NotItsOwn, Removal, Table


class LastLook(NamedTuple):
    """Every zombie is in one of these."""

    evictions: list[Eviction]
    touched: list[Zombie]
    """Their rows changed since they were read, or those of their connection did."""
    refused: list[tuple[list[Zombie], NotItsOwn]]


def look_again(batch: Sequence[Sequence[Zombie]], table: Table, removal: Removal) -> LastLook:
    """Read the whole rows of zombies, grouped by connection. Raises TableError."""
    found = table.read([zombie.row.key for group in batch for zombie in group])
    by_key = {str(table.key_of(item)): item for item in found}
    look = LastLook([], [], [])
    for group in batch:
        dead = [
            (zombie, item)
            for zombie in group
            if (item := by_key.get(str(zombie.row.key))) and zombie.row.is_untouched(item)
        ]
        if len(dead) < len(group) and _is_all_or_nothing(group, removal):
            dead = []
        untouched = [zombie for zombie, _ in dead]
        if len(dead) < len(group):
            look.touched.extend(zombie for zombie in group if zombie not in untouched)
        if not dead:
            continue
        eviction = Eviction(dead[0][0], dead, [])
        try:
            look.evictions.append(eviction._replace(along=removal.goes_along(eviction)))
        except NotItsOwn as error:
            look.refused.append((untouched, error))
    return look


def _is_all_or_nothing(group: Sequence[Zombie], removal: Removal) -> bool:
    """Whether one row that was touched saves all of its connection."""
    return removal.takes_partition or group[0].reason is Reason.DEAF
