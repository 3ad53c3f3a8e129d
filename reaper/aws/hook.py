"""What on-evict hooks have in common: the application hears of a connection before its row goes.

At least once: whoever is told and then keeps us from evicting, or dies in between, is told again
by a later sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reaper.aws.service_errors import error_response, fault_of
from reaper.core.errors import Fault, HookError
from reaper.core.model import Zombie


class Hook(Protocol):
    """Told of zombies, at most ``HOOK_BATCH``; returns for each what went wrong, or None."""

    permission: str
    name: str
    """As the operator gave it."""
    arn: str
    """What its permission is granted on."""

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]: ...
    def try_out(self) -> None: ...
    def close(self) -> None: ...


def explain(error: Exception, hook: Hook, variable: str, permission: str = "") -> Fault:
    """What one of botocore's exceptions means for a hook that a variable names."""
    permission = permission or hook.permission
    if error_response(error).get("Code") == "ResourceNotFoundException":
        return no_such_hook(hook, variable)
    return fault_of(error, f"{permission} on {hook.name}", permission, HookError)


def no_such_hook(hook: Hook, variable: str) -> Fault:
    return HookError(f"there is no {hook.arn}", f"correct {variable}")


def region_of_arn(name: str) -> str | None:
    return name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 5 else None
