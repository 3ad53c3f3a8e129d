"""What is proposed for a variable, and on what evidence."""

from __future__ import annotations

from typing import NamedTuple


class Proposal(NamedTuple):
    variable: str
    """Without its prefix; empty for a remark."""
    value: str
    why: str
    is_sure: bool = True
    """What is not is shown as a comment, for the operator to decide."""


def remark(why: str) -> Proposal:
    return Proposal("", "", why)
