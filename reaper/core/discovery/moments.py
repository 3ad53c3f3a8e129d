"""Which attributes say when a client connected, and when it was last heard of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import NamedTuple

from reaper.core.discovery.leaves import collection_of, leaves
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.evidence.calibration import (
    AGREEING_ROWS,
    TOLERANCE_SECONDS,
    Calibration,
    cure_of,
)
from reaper.core.rows.items import Item
from reaper.core.rows.times import Time, is_plausible, read_time

_CONNECTED = re.compile(r"connect(ed|ion)?_?-?(at|on|time|ts|date|stamp|start)|joined|opened", re.I)
_BORN = re.compile(r"creat|start|since|begin|timestamp|^ts$|^time$|^date$|^at$", re.I)
_SEEN = re.compile(r"seen|activ|heartbeat|ping|pong|touch|alive", re.I)
_ENDS = re.compile(r"ttl|expir|disconnect|delet|clos|left|ended", re.I)
"""Times at which something ends."""


MAX_OFFSET_SECONDS = 31_000_000.0
"""A TTL is shorter than a year. What is further off is no time of a connection."""


class Column(NamedTuple):
    name: str
    times: dict[int, Time]
    """By the index of the row."""


def columns(items: Sequence[Item], rows: Sequence[int], ids: str) -> list[Column]:
    """Attributes that hold a time in most of these rows that have them; of members, theirs."""
    read: defaultdict[str, dict[int, Time]] = defaultdict(dict)
    held: defaultdict[str, int] = defaultdict(int)
    for n in rows:
        for name, value in leaves(items[n]):
            held[name] += 1
            is_of_ids = collection_of(name) == collection_of(ids) and (
                name != ids or name.endswith("{}")
            )
            if is_of_ids and (time := read_time(value)) is not None:
                read[name][n] = time
    return [
        Column(name, times) for name, times in sorted(read.items()) if len(times) * 2 > held[name]
    ]


def moments(
    items: Sequence[Item],
    rows: Sequence[int],
    ids: str,
    connected_at: Mapping[int, float],
    now: float,
) -> list[Proposal]:
    """``connected_at`` is the gateway's own word on the rows of living clients, by their index."""
    found = columns(items, rows, ids)
    connected = _by_gateway(found, connected_at, now) or _by_name(found, connected_at, now)
    used = connected[0].value if connected else ""
    return [*connected, *_last_seen(found, used, connected_at, now)]


def _by_gateway(
    found: Sequence[Column], connected_at: Mapping[int, float], now: float
) -> list[Proposal]:
    """The attribute that living clients agree on, with what mends it if it is off."""
    off: list[list[Proposal]] = []
    for column in sorted(found, key=lambda one: (not _CONNECTED.search(one.name), one.name)):
        calibration, rows = Calibration(), 0
        for n, moment in connected_at.items():
            if n in column.times:
                rows += 1
                calibration.learn(str(n), column.times[n], moment)
        if rows * 2 < len(connected_at):
            continue  # living clients lack it: it says something else
        if calibration.is_calibrated or (0 < rows < AGREEING_ROWS and not calibration.is_doubtful):
            why = f"{rows} living clients: as the gateway saw them connect"
            return [Proposal("CONNECTED_AT_ATTRIBUTE", column.name, why)]
        offset = calibration.offset
        if offset and abs(offset.seconds) <= MAX_OFFSET_SECONDS and _varies(column, connected_at):
            variable, _, value = cure_of(offset, 0, UTC, now).removeprefix("REAPER_").partition("=")
            why = f"{offset.rows} living clients: {offset.seconds:,.0f} s from the gateway's word"
            off.append(
                [
                    Proposal("CONNECTED_AT_ATTRIBUTE", column.name, why),
                    Proposal(variable, value, "which this mends"),
                ]
            )
    return off[0] if off else []


def _varies(column: Column, connected_at: Mapping[int, float]) -> bool:
    """Whether it follows the times at which clients connected: any constant is off by the same
    where all connected at once."""
    pairs = [(column.times[n].seconds, at) for n, at in connected_at.items() if n in column.times]
    spread = max(at for _, at in pairs) - min(at for _, at in pairs)
    return (
        len({seconds for seconds, _ in pairs}) >= AGREEING_ROWS and spread > 2 * TOLERANCE_SECONDS
    )


def _by_name(
    found: Sequence[Column], connected_at: Mapping[int, float], now: float
) -> list[Proposal]:
    if connected_at:
        return [remark("no attribute is when the gateway saw living clients connect")]
    for wanted in (_CONNECTED, _BORN):
        for column in found:
            named = wanted.search(column.name) and not _ENDS.search(column.name)
            if named and not _SEEN.search(column.name) and _is_past(column, now):
                form = next(iter(column.times.values())).format
                why = f"{form}, by its name: no living client bears it out"
                return [Proposal("CONNECTED_AT_ATTRIBUTE", column.name, why)]
    return []


def _last_seen(
    found: Sequence[Column], used: str, connected_at: Mapping[int, float], now: float
) -> list[Proposal]:
    for column in found:
        if column.name == used or _ENDS.search(column.name) or not _SEEN.search(column.name):
            continue
        is_later = all(
            column.times[n].seconds > moment - TOLERANCE_SECONDS
            for n, moment in connected_at.items()
            if n in column.times
        )
        if is_later and _is_past(column, now):
            form = next(iter(column.times.values())).format
            return [Proposal("LAST_SEEN_ATTRIBUTE", column.name, f"{form}, by its name")]
    return []


def _is_past(column: Column, now: float) -> bool:
    return all(is_plausible(time, now) for time in column.times.values())
