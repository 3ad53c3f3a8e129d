"""The configuration in force: what the operator has set, and what follows where nothing is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from reaper.config.rules import fresh_seconds, quota_rps
from reaper.config.settings import PREFIX, Settings, variables
from reaper.core.masking import masked


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
        given = os.environ.get(name, "").strip()
        is_set = bool(given) or (variable.may_be_emptied and name in os.environ)
        default = f"{derived[name]:g}" if name in derived else variable.default
        yield Effective(name, masked(given) if is_set else default, is_set)


def what_is_set(settings: Settings, region: str) -> dict[str, str]:
    """Those that are not left to their defaults."""
    return {one.name: one.value for one in effective(settings, region) if one.is_set}
