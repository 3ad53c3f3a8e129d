"""What on-evict hooks have in common: the application hears of a connection before its row goes.

At least once: whoever is told and then keeps us from evicting, or dies in between, is told again
by a later sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reaper.aws.service_errors import error_response
from reaper.core.errors import HookAccessDenied, HookError
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


def explain(error: Exception, hook: Hook, variable: str, permission: str = "") -> HookError:
    answer = error_response(error)
    if not answer:
        return HookError(f"{permission or hook.permission} on {hook.name} failed: {error}")
    return explain_code(answer["Code"], answer.get("Message", ""), hook, variable, permission)


def explain_code(
    code: str, message: str, hook: Hook, variable: str, permission: str = ""
) -> HookError:
    permission = permission or hook.permission
    what = f"{permission} on {hook.name}"
    match code:
        case "AccessDeniedException" | "AccessDenied":
            return HookAccessDenied(f"{what} is not granted to these credentials", permission)
        case "ResourceNotFoundException":
            return HookError(f"there is no {hook.arn}: correct {variable}")
        case _:
            return HookError(f"{what} failed: {code}: {message}")


def region_of_arn(name: str) -> str | None:
    return name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 5 else None
