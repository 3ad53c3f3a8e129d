"""What an answer of the management API says about a connection, and whether it is its own."""

from __future__ import annotations

from reaper.core.model import Ask, Outcome

_MEANINGS = {
    200: Outcome.ALIVE,
    400: Outcome.REJECTED,
    403: Outcome.DENIED,
    410: Outcome.GONE,
    429: Outcome.THROTTLED,
}
_CLOSED = (200, 204)


def outcome_of(status: int, ask: Ask, *, is_foreign: bool, is_own_200: bool) -> Outcome:
    """Classify an answer. Whatever is not known to mean alive or gone is no evidence of either.

    The bodies of true 410s do not always parse, so the status alone counts; unless the answer
    ``is_foreign``: a page in HTML without any header of AWS's comes from something in between. And
    a 200 proves an endpoint, so it has to be the gateway's own.
    A socket that was closed as ordered is gone.
    """
    if is_foreign:
        return Outcome.UNKNOWN
    if ask is Ask.CLOSE and status in _CLOSED:
        return Outcome.GONE
    outcome = _MEANINGS.get(status, Outcome.UNKNOWN)
    if outcome is Outcome.ALIVE and not is_own_200:
        return Outcome.UNKNOWN
    return outcome
