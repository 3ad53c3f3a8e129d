"""What `reaper check` says of settings that do not fit: the same that `reaper discover` finds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress

from reaper.config.settings import PREFIX, Settings
from reaper.core.discovery.kinds import Sample, SeveralKinds, connection_rows
from reaper.core.discovery.moments import moments
from reaper.core.discovery.places import IdPlace, apart, id_places
from reaper.core.discovery.proposal import Proposal
from reaper.core.discovery.staying import eviction
from reaper.core.rows.items import Item, spelled
from reaper.core.rows.reader import RowReader
from reaper.core.sweep_rules import EvictAction, EvictScope
from reaper.preflight.finding import Finding


def settings_that_fit(items: Sequence[Item], reader: RowReader, now: float) -> str:
    """For rows of which none is understood, as for a shell; empty where nothing looks like ids."""
    places = [place for place in id_places(items, reader.shape.key_names) if place.is_certain]
    if not places or places[0].unserved:
        return ""
    place = places[0]
    found = [Proposal("CONNECTION_ID_ATTRIBUTE", place.setting, "")]
    if place.pattern:
        found.append(Proposal("CONNECTION_ID_PATTERN", place.pattern, ""))
    with suppress(SeveralKinds):
        found += _besides_the_id(items, reader, place, now)
    return " ".join(_assignment(one) for one in found if one.variable and one.is_sure)


def hints(
    items: Sequence[Item], reader: RowReader, settings: Settings, now: float
) -> Iterator[Finding]:
    """What else rows show, where the setting that would use it is left at its default."""
    read = [reader.read(item, now) or [] for item in items]
    ids = {
        n: own
        for n, found in enumerate(read)
        if (own := [row.connection_id for row in found if row.connection_id])
    }
    pattern = settings.connection_id_pattern.pattern if settings.connection_id_pattern else ""
    rows = [row for found in read for row in found]
    is_of_members = all(row.is_member for row in rows)
    name = spelled(rows[0].shape.connection_id if rows else settings.connection_id_attribute)
    place = IdPlace(name, pattern, ids, [], is_certain=True, is_of_members=is_of_members)
    unused = {
        "ROW_FILTER": not settings.row_filter,
        "EVICT_SCOPE": settings.evict_scope is EvictScope.ROW,
        "EVICT_ACTION": settings.evict_action is EvictAction.DELETE,
        "CONNECTED_AT_ATTRIBUTE": settings.connected_at_attribute == ("connectedAt",),
        "LAST_SEEN_ATTRIBUTE": settings.last_seen_attribute == ("lastSeenAt",),
    }
    try:
        proposals = _besides_the_id(items, reader, place, now)
    except SeveralKinds as why:
        if not settings.row_filter:
            yield Finding(True, str(why), is_hint=True)
        return
    for one in proposals:
        is_news = one.value not in ("connectedAt", "lastSeenAt")
        if is_news and unused.get(one.variable):
            yield Finding(True, f"{_assignment(one)} may fit: {one.why}", is_hint=True)


def _besides_the_id(
    items: Sequence[Item], reader: RowReader, place: IdPlace, now: float
) -> list[Proposal]:
    if place.is_of_members:
        members, place = apart(items, place)
        return moments(members, sorted(place.ids), place.setting, {}, now)
    key_names = reader.shape.key_names
    kinds = connection_rows(Sample(items, key_names, ()), place)
    return [
        *kinds.proposals,
        *moments(items, kinds.rows, place.setting, {}, now),
        *eviction(items, kinds.rows, place, key_names, ()),
    ]


def _assignment(one: Proposal) -> str:
    return f"{PREFIX}{one.variable}={shlex.quote(one.value)}"
