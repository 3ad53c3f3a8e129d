"""The eviction step that closes the sockets of deaf clients, before their rows go."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from reaper.core.errors import GatewayError, Refused
from reaper.core.iam import MANAGE_CONNECTIONS
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose, Reason, Zombie
from reaper.sweep.prober import Prober


class SocketCloser:
    """A step of eviction: only the deaf have a socket to be closed.

    Its orders go the way of all probes, by the prober's pace; their answers come to ``learn``.
    """

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._zombies: Sequence[Zombie] = ()
        self._ordered: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self._done: Future[list[Exception | None]] = Future()

    def __call__(self, zombies: Sequence[Zombie]) -> Future[list[Exception | None]]:
        deaf = [zombie for zombie in zombies if zombie.reason is Reason.DEAF]
        self._zombies, self._done = zombies, Future()
        self._ordered = {zombie.row.connection_id for zombie in deaf}
        self._answers.clear()
        for zombie in deaf:
            self._prober.ask(_order_to_close(zombie))
        self._conclude()
        return self._done

    def learn(self, answer: Answer) -> None:
        """An order was carried out, or not."""
        self._answers[answer.probe.connection_id] = answer
        self._conclude()

    def _conclude(self) -> None:
        if self._ordered <= self._answers.keys() and not self._done.done():
            self._done.set_result(
                [_fault(self._answers.get(zombie.row.connection_id)) for zombie in self._zombies]
            )


def _order_to_close(zombie: Zombie) -> Probe:
    row = zombie.row
    assert row.endpoint is not None, "a foreign row is never evicted"
    return Probe(row.endpoint, row.connection_id, Ask.CLOSE, Purpose.CLOSE, [row])


def _fault(answer: Answer | None) -> Exception | None:
    """What an answer to the order means; no answer where nothing was ordered."""
    if answer is None or answer.outcome is Outcome.GONE:
        return None
    if answer.outcome is Outcome.DENIED:
        return GatewayError(
            f"the gateway refuses to close a deaf client's socket ({answer.detail})",
            f"grant {MANAGE_CONNECTIONS} for DELETE on @connections/*, or set"
            " REAPER_PONG_TIMEOUT_SECONDS=0",
            refused=Refused.NOT_GRANTED,
            permission=MANAGE_CONNECTIONS,
        )
    return GatewayError(f"a deaf client's socket could not be closed: {answer.detail}")
