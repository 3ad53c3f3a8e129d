"""Preflight of the table: its key, the permissions on it, and what a sample of its rows shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

from reaper.aws.clients import Clients
from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.config.policy import row_actions
from reaper.config.rules import endpoint_resolver, row_shape
from reaper.config.settings import Settings
from reaper.core.errors import TableError
from reaper.core.iam import arn_of
from reaper.core.rows.items import Item
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import Row
from reaper.core.sweep_rules import EvictAction
from reaper.preflight.finding import Finding, attempt
from reaper.preflight.rows import findings_of_rows

SAMPLE_ROWS = 1000
SAMPLE_PAGES = 8
"""Of 1 MB at most: rows that hold many ids are large."""


class Sample(NamedTuple):
    rows: list[Row]
    """Some of the table's; none where it cannot be read."""
    reader: RowReader | None
    """None where the table does not serve the settings."""


NOTHING = Sample([], None)


def check_table(settings: Settings, clients: Clients) -> Generator[Finding, None, Sample]:
    """Yields what it finds as it finds it; returns a sample of the rows."""
    table, region = clients.table, clients.access.region
    resource = arn_of("dynamodb", region, f"table/{table.name}")
    described = attempt("dynamodb:DescribeTable", resource, table.describe)
    if not described.ok:
        yield described
        return NOTHING
    keys = " and ".join(table.key_names)
    where = f", index {table.index}" if table.index else ""
    yield Finding(True, f"table {table.name} in {table.region}{where}: key {keys}")
    try:
        shape = row_shape(settings, table.facts)
    except TableError as error:
        yield Finding(False, str(error))
        return NOTHING
    items: list[Item] = []
    scanned = f"{table.arn}/index/{table.index}" if table.index else table.arn
    yield attempt("dynamodb:Scan", scanned, lambda: items.extend(_sample(table)))
    reader = RowReader(shape, endpoint_resolver(settings, region))
    rows = reader.read_page(items, time.time())
    for action, try_it in _permissions(settings, table, rows):
        yield attempt(action, table.arn, try_it)
    yield from findings_of_rows(items, rows, reader, settings, time.time())
    return Sample(rows, reader)


def _sample(table: ConnectionsTable) -> list[Item]:
    items: list[Item] = []
    page = table.scan_page(None, limit=SAMPLE_ROWS)
    items += page.items()
    pages = 1
    while page.next_key is not None and len(items) < SAMPLE_ROWS and pages < SAMPLE_PAGES:
        pages += 1
        page = table.scan_page(None, page.next_key, limit=SAMPLE_ROWS - len(items))
        items += page.items()
    return items


def _permissions(
    settings: Settings, table: ConnectionsTable, rows: Sequence[Row]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What evictions need, tried on a row that cannot exist."""
    actions = row_actions(settings)
    if any(row.is_member for row in rows) and settings.evict_action is not EvictAction.HOOK:
        actions.append("dynamodb:UpdateItem")
    key = table.impossible_key()
    tries: dict[str, Callable[[], object]] = {
        "dynamodb:BatchGetItem": lambda: table.read([key]),
        "dynamodb:DeleteItem": table.try_delete,
        "dynamodb:Query": lambda: table.read_partition(key),
        "dynamodb:ConditionCheckItem": table.try_transaction,
        "dynamodb:UpdateItem": table.try_update,
    }
    for action in dict.fromkeys(actions):
        yield action, tries[action]
