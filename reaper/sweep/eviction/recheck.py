"""The recheck of rows before they go: which are still as they were read, and what goes along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reaper.core.errors import PartitionTooLarge
from reaper.core.model import Reason, Zombie
from reaper.core.rows.items import Item
from reaper.sweep.eviction.removal import Eviction, NotItsOwn, Removal
from reaper.sweep.ports import Table


class Recheck(NamedTuple):
    """Every zombie is in one of these."""

    evictions: list[Eviction]
    touched: list[Zombie]
    """Their rows changed since they were read, or those of their connection did."""
    vanished: int
    """Of those, the ones whose rows are not there any more."""
    refused: list[tuple[list[Zombie], Exception]]
    """Their partitions are not their own."""


def recheck(batch: Sequence[Sequence[Zombie]], table: Table, removal: Removal) -> Recheck:
    """Read the whole rows of zombies, grouped by connection. Raises TableError."""
    found = table.read([zombie.row.key for group in batch for zombie in group])
    items = removal.shape.by_identity(found)
    vanished = 0
    evictions: list[Eviction] = []
    all_touched: list[Zombie] = []
    refused: list[tuple[list[Zombie], Exception]] = []
    for group in batch:
        dead: list[tuple[Zombie, Item]] = []
        touched: list[Zombie] = []
        for zombie in group:
            item = items.get(zombie.row.identity)
            vanished += item is None
            if item is not None and zombie.row.is_untouched(item):
                dead.append((zombie, item))
            else:
                touched.append(zombie)
        if touched and _is_all_or_nothing(group, removal):
            dead, touched = [], list(group)
        all_touched += touched
        if not dead:
            continue
        eviction = Eviction(dead[0][0], dead, [])
        try:
            evictions.append(eviction._replace(along=removal.goes_along(eviction)))
        except (NotItsOwn, PartitionTooLarge) as error:
            refused.append((eviction.zombies, error))
    return Recheck(evictions, all_touched, vanished, refused)


def _is_all_or_nothing(group: Sequence[Zombie], removal: Removal) -> bool:
    """Whether one row that was touched saves all of its connection."""
    return removal.takes_partition or group[0].reason is Reason.DEAF
