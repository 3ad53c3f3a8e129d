"""What a sample of the table's rows tells about the settings."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Sequence

from reaper.config.settings import Settings
from reaper.core.rows.ids import is_of_one_case, is_own_partition
from reaper.core.rows.items import AttributePath, Item, attribute, spelled, text_of
from reaper.core.rows.reader import RowReader
from reaper.core.rows.recognition import (
    is_nonsense,
    time_formats,
)
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.sweep_rules import EvictAction, EvictScope
from reaper.preflight.finding import Finding
from reaper.preflight.likely import hints, settings_that_fit


def findings_of_rows(
    items: Sequence[Item], rows: Sequence[Row], reader: RowReader, settings: Settings, now: float
) -> Iterator[Finding]:
    """``rows`` are those of ``items`` that are connection rows by the settings."""
    shape = reader.shape
    if not items:
        yield Finding(True, "the table is empty, so nothing tells what its rows look like")
        return
    found = [reader.read(item, now) for item in items]
    if not any(found) and None not in found:
        yield Finding(True, "nobody is in any row for the moment, so nothing tells what they are")
        return
    if others := found.count(None):
        yield Finding(
            True,
            f"{others:,} of {len(items):,} sampled rows are of other kinds, by"
            " REAPER_CONNECTION_ID_PATTERN or REAPER_ROW_FILTER",
        )
    yield _finding_of_ids([row.item for row in rows] or items, rows, reader, settings, now)
    yield from _findings_of_one_case(rows)
    if any(row.connection_id for row in rows):
        yield from hints(items, reader, settings, now)
    items = [row.item for row in rows if row.connection_id]
    if not items:
        return
    if shape.endpoint:
        yield _finding_of_endpoints(items, rows, reader)
    yield from _findings_of_times(rows, shape, settings, now)
    if settings.message_source == "attribute":
        yield _finding_of_counter(rows, shape)
    if settings.expects_pongs:
        yield _finding_of_pongs(items, shape)
    if settings.evict_scope is EvictScope.PARTITION:
        yield _finding_of_partition(rows, shape)


def _finding_of_ids(
    items: Sequence[Item], rows: Sequence[Row], reader: RowReader, settings: Settings, now: float
) -> Finding:
    shape = reader.shape
    name = spelled(shape.connection_id)
    usable = sum(row.connection_id != "" for row in rows)
    odd = [text for row in rows if not row.connection_id and (text := _text(row))]
    if usable:
        rest = len(rows) - usable
        is_fine = not rest or settings.evict_action is EvictAction.CLEAR
        such_as = f", such as {_quoted(odd)}" if odd else ""
        what = "members of rows" if all(row.is_member for row in rows) else "rows"
        return Finding(
            True,
            f"{name}: a connection id in {usable:,} of {len(rows):,} {what}"
            + (
                ""
                if is_fine
                else f"; the other {rest:,} count as malformed and are left alone{such_as}"
            ),
        )
    fitting = settings_that_fit(items, reader, now)
    if odd and len(odd) == len(rows):
        return Finding(
            False,
            f"{name}: 0 of {len(rows):,} look like connection ids of API Gateway, such as"
            f" R0oXAdfD0kwCH6w=, but like {_quoted(odd)}: "
            + (
                f"set {fitting}"
                if fitting
                else "name the one with ids in REAPER_CONNECTION_ID_ATTRIBUTE"
            ),
        )
    held = ", ".join(sorted({attribute for item in items for attribute in item}))
    return Finding(
        False,
        f"{name}: no connection id in any of {len(items):,} rows, which hold {held}: "
        + (
            f"set {fitting}"
            if fitting
            else "correct REAPER_CONNECTION_ID_ATTRIBUTE, _PATTERN or REAPER_ROW_FILTER"
        ),
    )


def _text(row: Row) -> str:
    return text_of(row.shape.stored_id(row.item)) or ""


def _quoted(texts: Sequence[str]) -> str:
    """Some of them, shortened."""
    return " and ".join(f"`{reprlib.repr(text)[1:-1]}`" for text in sorted(set(texts))[:3])


def _findings_of_one_case(rows: Sequence[Row]) -> Iterator[Finding]:
    """Some libraries lower-case what they index: such ids answer 410 whoever lives."""
    own = [row for row in rows if row.connection_id and row.endpoint is not None]
    ids = [row.connection_id for row in own if row.endpoint and row.endpoint.is_execute_api]
    of_one_case = [one for one in ids if is_of_one_case(one)]
    if len(of_one_case) * 2 > len(ids):
        yield Finding(
            False,
            f"{len(of_one_case):,} of {len(ids):,} ids have letters of one case only, such as"
            f" {_quoted(of_one_case)}, and API Gateway's have both, so something has changed them:"
            " name the attribute with the true id in REAPER_CONNECTION_ID_ATTRIBUTE",
        )


def _finding_of_endpoints(items: Sequence[Item], rows: Sequence[Row], reader: RowReader) -> Finding:
    """Rows without the endpoint that they should name would be taken for our own."""
    shape = reader.shape
    name = ", ".join(spelled(path) for path in shape.endpoint)
    naming = sum(
        any(attribute(item, path) is not None for path in shape.endpoint) for item in items
    )
    foreign = Counter(reader.why_foreign(row.item) for row in rows if row.endpoint is None)
    if foreign.total() == len(rows):
        why, _ = foreign.most_common(1)[0]
        return Finding(False, f"{name}: all {len(rows):,} rows are foreign; most name {why}")
    named = len({row.endpoint for row in rows if row.endpoint is not None})
    return Finding(
        naming == len(items),
        f"{name}: an endpoint in {naming:,} of {len(items):,} rows"
        + (f", {named:,} different ones; {foreign.total():,} rows are foreign" if naming else "")
        + ("" if naming == len(items) else "; the rest counts as REAPER_API_ENDPOINT's own")
        + " (REAPER_ENDPOINT_ATTRIBUTE)",
    )


def _findings_of_times(
    rows: Sequence[Row], shape: RowShape, settings: Settings, now: float
) -> Iterator[Finding]:
    items = [row.item for row in rows if row.connection_id]
    if all(row.is_member for row in rows):
        shape = shape.of_members
    for path, set_to, variable in (
        (shape.connected_at, settings.connected_at_attribute, "REAPER_CONNECTED_AT_ATTRIBUTE"),
        (shape.last_seen_at, settings.last_seen_attribute, "REAPER_LAST_SEEN_ATTRIBUTE"),
    ):
        if path:
            yield _finding_of_time(items, path, variable, shape, now)
        else:
            yield Finding(True, f"{spelled(set_to)}: not of the members, so it is not used")


def _finding_of_time(
    items: Sequence[Item], path: AttributePath, variable: str, shape: RowShape, now: float
) -> Finding:
    name = spelled(path)
    if not shape.can_bring(path):
        return Finding(True, f"{name}: not in the index, so the rules that need it do not apply")
    values = [value for item in items if (value := attribute(item, path)) is not None]
    if not values:
        return Finding(True, f"{name}: in no sampled row, so the rules that need it do not apply")
    is_connected = path == shape.connected_at
    offset_seconds = shape.connected_at_offset_seconds if is_connected else 0.0
    formats = time_formats(values, now, shape.time_zone, offset_seconds)
    nonsense = sum(count for what, count in formats.items() if is_nonsense(what))
    found = "; ".join(
        f"{what}, {count:,} of {len(items):,} rows" for what, count in formats.most_common()
    )
    return Finding(
        not nonsense,
        f"{name}: {found}"
        + (f": what makes no sense counts as absent ({variable})" if nonsense else ""),
    )


def _finding_of_counter(rows: Sequence[Row], shape: RowShape) -> Finding:
    name = spelled(shape.message_count) or "messages"
    count = sum("N" in (attribute(row.item, row.shape.message_count) or {}) for row in rows)
    if not count:
        return Finding(True, f"{name}: in no sampled row, so no messages are counted")
    return Finding(True, f"{name}: a number, {count:,} of {len(rows):,} rows")


def _finding_of_pongs(items: Sequence[Item], shape: RowShape) -> Finding:
    paths = (shape.last_seen_at, shape.message_count)
    shown = sum(any(attribute(item, path) is not None for path in paths) for item in items)
    names = " or ".join(map(spelled, paths))
    if shown:
        return Finding(True, f"{names}: can show a pong in {shown:,} of {len(items):,} rows")
    return Finding(
        False,
        f"{names}: in no sampled row, so no pong can show: note pongs there, or set"
        " REAPER_PONG_TIMEOUT_SECONDS=0",
    )


def _finding_of_partition(rows: Sequence[Row], shape: RowShape) -> Finding:
    hash_name = shape.key_names[0]
    usable = [row for row in rows if row.connection_id]
    own = sum(is_own_partition(row.key[hash_name], row.connection_id) for row in usable)
    return Finding(
        own == len(usable),
        f"{hash_name}: holds the connection id in {own:,} of {len(usable):,} rows, as"
        " REAPER_EVICT_SCOPE=partition requires",
    )
