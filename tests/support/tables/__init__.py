"""Tables as people have them: one small file each, with the rows that a client has in it.

A file has ``KEYS`` and ``rows(client)`` or, where rows hold many, ``stored(clients)``. Where there
is more to say it has ``others()`` (rows of other kinds, which stay), ``left(client)`` (what stays
of a dead client's rows) and ``SETTINGS``.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reaper.core.rows.items import to_wire

ID_SIGNS = string.ascii_letters + string.digits + "_-"


@dataclass(frozen=True)
class Client:
    """Somebody who connected, and may have gone."""

    number: int
    id: str
    connected_at: float
    """Epoch seconds."""

    @property
    def ms(self) -> int:
        return int(self.connected_at * 1000)

    @property
    def seconds(self) -> int:
        return int(self.connected_at)

    def text(self, form: str) -> str:
        return datetime.fromtimestamp(self.connected_at, UTC).strftime(form)


@dataclass(frozen=True)
class TableShape:
    name: str
    keys: Sequence[str]
    stored: Callable[[Sequence[Client]], list[dict[str, Any]]]
    """The rows of all of them."""
    others: Callable[[], list[dict[str, Any]]] = list
    left: Callable[[Client], list[dict[str, Any]]] = lambda client: []
    settings: dict[str, str] = field(default_factory=dict)
    """Those that must be found, among others."""


def shapes() -> list[TableShape]:
    """All of them, by the names of their files."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        held = vars(importlib.import_module(f"{__name__}.{module.name}"))
        optional = {
            field: held[name]
            for field, name in (("others", "others"), ("left", "left"), ("settings", "SETTINGS"))
            if name in held
        }
        stored = held.get("stored") or _of_each(held["rows"])
        found.append(TableShape(module.name, held["KEYS"], stored, **optional))
    return found


def _of_each(rows: Callable[[Client], list[dict[str, Any]]]) -> Callable[..., Any]:
    return lambda clients: [row for one in clients for row in rows(one)]


def clients(count: int, now: float, seed: int) -> list[Client]:
    """With ids as API Gateway issues them."""
    chance = random.Random(seed)
    return [
        Client(
            n,
            "".join(chance.choices(ID_SIGNS, k=15)) + "=",
            float(int(now - chance.uniform(600, 6000))),
        )
        for n in range(count)
    ]


def item(row: dict[str, Any]) -> dict[str, Any]:
    """In DynamoDB's JSON. A set is one of texts, and is not there where it is empty."""
    return {
        name: {"SS": sorted(value)} if isinstance(value, set) else to_wire(value)
        for name, value in row.items()
        if value != set()
    }
