"""What a preflight found: one line each, and the statement that grants what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reaper.core.errors import Fault, Refused
from reaper.core.iam import statement


class Finding(NamedTuple):
    ok: bool
    text: str
    is_hint: bool = False
    """Whether it is worth a look, and nothing that a sweep would stumble over."""

    @property
    def mark(self) -> str:
        return "!" if self.is_hint else "✓" if self.ok else "✗"


def finding_of(fault: Fault, resource: str, action: str | None = None) -> Finding:
    """A fault in AWS's words, with the statement that would have granted it on a resource.

    ``action`` is what was tried, where that is more than what the fault names.
    """
    if fault.refused is not Refused.NOT_GRANTED:
        return Finding(False, str(fault))
    grant = statement(action or fault.permission, resource)
    return Finding(False, f"{fault.why}. Add to the role's policy: {grant}")


def attempt(action: str, resource: str, try_it: Callable[[], object]) -> Finding:
    """What comes of something that may be refused."""
    try:
        try_it()
    except Fault as fault:
        return finding_of(fault, resource, action)
    return Finding(True, f"{action} is granted")
