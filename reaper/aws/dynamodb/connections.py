"""The table of connections: its pages, and what may be changed in it, on condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action

from reaper.aws.dynamodb.calls import Result
from reaper.aws.dynamodb.conditions import ConditionFailed, path_of, unchanged
from reaper.aws.dynamodb.members import putting_back, removal
from reaper.aws.dynamodb.requests import DeleteRequests, ScanRequests
from reaper.aws.dynamodb.scan import ParallelScan
from reaper.aws.dynamodb.table import DynamoTable
from reaper.aws.dynamodb.wire import Page, read_page
from reaper.core.errors import TableError
from reaper.core.model import Change
from reaper.core.portion import Portion
from reaper.core.rows.items import AttributePath, AttributeValue, Item
from reaper.core.rows.members import Leaving, Returning
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import MISSED_PONGS, RowShape

TRANSACTION_ROWS = 80
TRANSACTION_BYTES = 2_000_000
"""Of the 100 rows and the 4 MB that a transaction may touch; it checks some rows besides."""

TRANSACTION_CHECKS = 10
"""Of a connection's own rows, so many are checked by every transaction that deletes others."""


@dataclass(slots=True)
class _Attempt:
    change: Change = Change.DONE


class ConnectionsTable(DynamoTable):
    """A DynamoDB table, or one of its indexes, whose rows hold connections."""

    def scan_page(
        self,
        shape: RowShape | None,
        start_key: Item | None = None,
        segment: int = 0,
        total_segments: int = 1,
        limit: int | None = None,
    ) -> Page:
        """One page of a segment, with the attributes that ``shape`` needs, or all of them."""
        request = self._scan_requests(shape).of(start_key, segment, total_segments, limit)
        return read_page(self._call("Scan", request))

    def scan(self, shape: RowShape, portion: Portion, max_rcu: float) -> ParallelScan:
        """All pages of a portion, at most so many read units a second; 0 is no limit."""
        return ParallelScan(self._scan_api, self._scan_requests(shape), portion, max_rcu)

    def delete(self, rows: Sequence[Row]) -> list[Change | TableError]:
        """Delete each row if its watched attributes are still what they were when it was read."""
        requests = [self._delete_requests.of(row) for row in rows]
        return [_change(result) for result in self._calls.make("DeleteItem", requests)]

    def remove_members(
        self, shape: RowShape, leaving: Sequence[Leaving]
    ) -> list[Change | TableError]:
        """Take members out of their rows: of each row all of them, if each is where it was."""
        requests = [removal(self.name, shape, one) for one in leaving]
        return [_change(result) for result in self._calls.make("UpdateItem", requests)]

    def clear(
        self,
        row: Row,
        removed: Sequence[AttributePath],
        assigned: Sequence[tuple[AttributePath, AttributeValue]],
    ) -> Change:
        """Remove and set these attributes on the same condition; the row itself stays."""
        actions = [*map(_remove, removed), *(_set(*one) for one in assigned)]
        return self._update_if(row.key, actions, unchanged(row))

    def note_missed_pongs(self, row: Row, missed: MissedPongs) -> Change:
        """Write the count on the row, on the same condition."""
        count = {
            "missed": {"N": str(missed.missed)},
            "at": {"N": f"{missed.at:.3f}"},
            "unchanged": {"S": missed.unchanged},
        }
        return self._update_if(row.key, [_set(MISSED_PONGS, {"M": count})], unchanged(row))

    def delete_together(self, rows: Sequence[Row], others: Sequence[Item]) -> Change:
        """Delete ``rows`` on the same condition, and ``others`` that go with them.

        In one transaction if there are few. Where there are more, each checks the condition, and
        the rows themselves go with the last: what is begun is found again and finished.
        """
        conditions = [(row.key, unchanged(row)) for row in rows[:TRANSACTION_CHECKS]]
        keys = [row.key for row in rows[TRANSACTION_CHECKS:]]
        chunks = [keys[n : n + TRANSACTION_ROWS] for n in range(0, len(keys), TRANSACTION_ROWS)]
        chunks += [[self.key_of(item) for item in some] for some in _in_transactions(others)]
        for chunk in chunks[:-1]:
            if self._transact(conditions, [(key, None) for key in chunk]) is Change.REFUSED:
                return Change.REFUSED
        last = [(key, None) for key in chunks[-1]] if chunks else []
        return self._transact([], [*last, *conditions])

    def put_back(self, item: Item) -> Change:
        """Store a row unless there is one with its key."""
        with self._on_condition("PutItem") as attempt:
            self._connection.put_item(
                self.name,
                *self.key_values(item),
                attributes=item,
                condition=Path([self.key_names[0]]).does_not_exist(),
            )
        return attempt.change

    def put_back_attributes(
        self, key: Item, held: Sequence[tuple[AttributePath, AttributeValue | None]]
    ) -> Change:
        """Give a row the attributes that it held, if it exists and does not have the first."""
        condition = self._exists & path_of(held[0][0]).does_not_exist()
        actions = [_remove(path) if value is None else _set(path, value) for path, value in held]
        return self._update_if(key, actions, condition)

    def put_back_members(self, returning: Sequence[Returning]) -> list[Change | TableError]:
        """Give rows that exist their members back; of each row all of them, or none."""
        requests = [putting_back(self.name, one) for one in returning]
        return [_change(result) for result in self._calls.make("UpdateItem", requests)]

    def try_delete(self) -> None:
        """Ask to delete a row that does not exist, to learn whether it would be allowed."""
        self._delete_if(self.impossible_key(), self._exists)

    def try_update(self) -> None:
        """Ask to update a row that does not exist, to learn whether it would be allowed."""
        self._update_if(self.impossible_key(), [_remove(MISSED_PONGS)], self._exists)

    def try_transaction(self) -> None:
        """Ask for a transaction on a row that does not exist."""
        key = self.impossible_key()
        self._transact([(key, self._exists)], [])

    def _scan_requests(self, shape: RowShape | None) -> ScanRequests:
        return ScanRequests(self.name, self.index, None if shape is None else shape.needed)

    @cached_property
    def _delete_requests(self) -> DeleteRequests:
        return DeleteRequests(self.name)

    @property
    def _exists(self) -> Condition:
        return Path([self.key_names[0]]).exists()

    def _delete_if(self, key: Item, condition: Condition) -> Change:
        with self._on_condition("DeleteItem") as attempt:
            self._connection.delete_item(self.name, *self.key_values(key), condition=condition)
        return attempt.change

    def _update_if(self, key: Item, actions: list[Action], condition: Condition) -> Change:
        with self._on_condition("UpdateItem") as attempt:
            self._connection.update_item(
                self.name, *self.key_values(key), actions=actions, condition=condition
            )
        return attempt.change

    def _transact(
        self,
        checks: Sequence[tuple[Item, Condition]],
        deletes: Sequence[tuple[Item, Condition | None]],
    ) -> Change:
        def operation(key: Item, condition: Condition | None) -> dict[str, Any]:
            return self._connection.get_operation_kwargs(
                self.name, *self.key_values(key), condition=condition
            )

        with self._on_condition("TransactWriteItems") as attempt:
            self._connection.transact_write_items(
                condition_check_items=[operation(*check) for check in checks],
                delete_items=[operation(*delete) for delete in deletes],
                put_items=[],
                update_items=[],
            )
        return attempt.change

    @contextmanager
    def _on_condition(self, operation: str) -> Iterator[_Attempt]:
        """A change that may be refused. Raises TableError where it fails for another reason."""
        attempt = _Attempt()
        try:
            with self.explained(operation):
                yield attempt
        except ConditionFailed:
            attempt.change = Change.REFUSED


def _in_transactions(items: Sequence[Item]) -> Iterator[list[Item]]:
    """As many rows together as one transaction may delete."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        size += len(str(item))
        if chunk and (size > TRANSACTION_BYTES or len(chunk) == TRANSACTION_ROWS):
            yield chunk
            chunk, size = [], len(str(item))
        chunk.append(item)
    if chunk:
        yield chunk


def _remove(path: AttributePath) -> Action:
    return path_of(path).remove()


def _set(path: AttributePath, value: AttributeValue) -> Action:
    return path_of(path).set(cast(Any, Value(value)))


def _change(result: Result) -> Change | TableError:
    if isinstance(result, TableError):
        return result
    return Change.REFUSED if isinstance(result, ConditionFailed) else Change.DONE
