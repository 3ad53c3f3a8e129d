"""Pages that never come to an end, told from those of a large table."""

from __future__ import annotations

from dataclasses import dataclass

from reaper.core.errors import TableError
from reaper.core.rows.items import Identity, Item, identity

MAX_EMPTY_PAGES = 1000
"""So many pages in a row without a row, and DynamoDB is not what answers."""


class Endless(TableError):
    """Answers do not come to an end. The message says what was seen."""

    def __init__(self, operation: str, seen: str) -> None:
        super().__init__(
            f"{operation} does not come to an end: {seen}; is something between here and DynamoDB?"
        )


@dataclass
class PageTrail:
    """Sees where pages go round in a circle, by comparing each with one of those before.

    That one is renewed at pages 1, 2, 4, 8 …, so any circle is found before it was gone round three
    times, and nothing but one key is remembered (Brent's algorithm).
    """

    operation: str
    """With what it is about, for a person: ``Scan of segment 3``."""
    pages: int = 0
    _empty_pages: int = 0
    _compare_until: int = 1
    _compared: Identity | None = None

    def note(self, next_key: Item | None, *, has_items: bool) -> None:
        """A page has come. Raises Endless."""
        if next_key is None:
            return
        self.pages += 1
        self._empty_pages = 0 if has_items else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES:
            raise Endless(self.operation, f"{self._empty_pages} pages in a row without a row")
        here = identity(next_key)
        if here == self._compared:
            raise Endless(self.operation, f"page {self.pages} has an earlier LastEvaluatedKey")
        if self.pages == self._compare_until:
            self._compared, self._compare_until = here, 2 * self._compare_until
