"""The configuration in force: what the operator has set, and what follows where nothing is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from reaper.config.parsers import Variable
from reaper.config.rules import fresh_seconds, quota_rps
from reaper.config.settings import PREFIX, Settings, variables
from reaper.core.masking import masked


def given(name: str, variable: Variable) -> str | None:
    """What the environment sets a variable to; None where it is left to its default."""
    value = os.environ.get(name, "").strip()
    is_set = bool(value) or (variable.may_be_emptied and name in os.environ)
    return value if is_set else None


class Effective(NamedTuple):
    """One variable."""

    name: str
    value: str
    """Empty where there is none."""
    is_set: bool


def effective(settings: Settings, region: str) -> Iterator[Effective]:
    """Every variable with its value, also of those whose default depends on others."""
    derived = {
        f"{PREFIX}FRESH_SECONDS": fresh_seconds(settings),
        f"{PREFIX}QUOTA_RPS": quota_rps(settings, region),
    }
    for name, variable in variables().items():
        value = given(name, variable)
        default = f"{derived[name]:g}" if name in derived else variable.default
        yield Effective(name, default if value is None else masked(value), value is not None)


def what_is_set(settings: Settings, region: str) -> dict[str, str]:
    """Those that are not left to their defaults."""
    return {one.name: one.value for one in effective(settings, region) if one.is_set}
