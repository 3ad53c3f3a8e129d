"""The eviction step that closes the sockets of deaf clients, before their rows go."""

from __future__ import annotations

from collections.abc import Sequence

from reaper.core.errors import AccessDenied
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose, Reason, Zombie
from reaper.sweep.prober import Prober

POLL_SECONDS = 0.1


class CloseFailed(Exception):
    """A socket may still be open. The message says what the gateway answered."""


class SocketCloser:
    """A step of eviction: only the deaf have a socket to be closed.

    Their turn comes when every probe has its answer, so it has the prober to itself.
    """

    def __init__(self, prober: Prober, budget_rps: float) -> None:
        self._prober = prober
        self._budget_rps = budget_rps

    def __call__(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        deaf = [zombie for zombie in zombies if zombie.reason is Reason.DEAF]
        if not deaf:
            return [None] * len(zombies)
        self._prober.set_rate(self._budget_rps)
        for zombie in deaf:
            self._prober.ask(_order_to_close(zombie))
        answers: dict[str, Answer] = {}
        while not self._prober.idle:
            for answer in self._prober.poll(POLL_SECONDS):
                answers[answer.probe.connection_id] = answer
        return [_fault(answers.get(zombie.row.connection_id)) for zombie in zombies]


def _order_to_close(zombie: Zombie) -> Probe:
    row = zombie.row
    assert row.endpoint is not None, "a foreign row is never evicted"
    return Probe(row.endpoint, row.connection_id, Ask.CLOSE, Purpose.CLOSE, [row])


def _fault(answer: Answer | None) -> Exception | None:
    """What an answer to the order means; no answer where nothing was ordered."""
    if answer is None or answer.outcome is Outcome.GONE:
        return None
    if answer.outcome is Outcome.DENIED:
        return AccessDenied(
            f"the gateway refuses to close a deaf client's socket ({answer.detail}): grant"
            " execute-api:ManageConnections for DELETE on @connections/*, or set"
            " REAPER_PONG_TIMEOUT_SECONDS=0"
        )
    return CloseFailed(f"a deaf client's socket could not be closed: {answer.detail}")
