"""What a preflight found: one line each, and the statement that grants what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reaper.core.errors import AccessDenied, TableError
from reaper.core.iam import statement


class Finding(NamedTuple):
    ok: bool
    text: str
    is_hint: bool = False
    """Whether it is worth a look, and nothing that a sweep would stumble over."""

    @property
    def mark(self) -> str:
        return "!" if self.is_hint else "✓" if self.ok else "✗"


def not_granted(action: str, resource: str) -> Finding:
    grant = statement(action, resource)
    return Finding(False, f"{action} is not granted. Add to the role's policy: {grant}")


def attempt(action: str, resource: str, try_it: Callable[[], object]) -> Finding:
    """What comes of something that the table may refuse."""
    try:
        try_it()
    except AccessDenied:
        return not_granted(action, resource)
    except TableError as error:
        return Finding(False, str(error))
    return Finding(True, f"{action} is granted")
