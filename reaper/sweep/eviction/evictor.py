"""Eviction: read the whole row, write it down, tell the hooks, and only then let it go.

Each step takes what the one before it let pass. At every moment a zombie's row is either still in
the table or has its audit line; a line whose row stayed after all is followed by one that says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from enum import Enum
from functools import partial
from typing import Any

from reaper.core.audit import EVICT, KEPT, audit_entry
from reaper.core.errors import AuditError, Fault, HookError, TableError
from reaper.core.events import HOOK_BATCH
from reaper.core.model import Change, Reason, Zombie
from reaper.core.rows.items import Item
from reaper.core.rows.reader import RowReader
from reaper.core.rows.shape import RowShape
from reaper.sweep.beside import Task, TaskLine
from reaper.sweep.context import SweepContext
from reaper.sweep.eviction.recheck import recheck
from reaper.sweep.eviction.removal import Eviction, Removal
from reaper.sweep.eviction.results import EvictionResults
from reaper.sweep.ports import Audit, Beside, EvictionStep, Hook, Table

EVICTION_BATCH = 400
"""Zombies that are read, written down and removed together."""

SLOW_BATCH = 100
"""Where each of them takes requests of its own."""

DEAF_BATCH = 10
"""Few enough deaf clients at a time that none has changed before its socket is closed."""


LANE, HOOK_LANE = "evictions", "on-evict"


class _Stays(Enum):
    """Why a row stays that nothing went wrong with."""

    TOUCHED = "touched since it was read"
    STOPPED = "the sweep was told to stop before its turn"


class EvictionsLate(Fault):
    """There was no time left for them."""

    def __init__(self) -> None:
        super().__init__(
            "evictions had not begun when the sweep had to end; later sweeps go on with them",
            "see whether the on-evict hook is slow, or throttled by its concurrency limit, and"
            " whether DynamoDB throttles the table's writes",
        )


_Why = Exception | _Stays

_Results = Generator[Future[Any], Any, Sequence[_Why | None]]

_Act = Callable[[Sequence[Eviction]], _Results]


class Evictor:
    """Evicts zombies in batches, beside the probes. What becomes of each is in the tally."""

    def __init__(
        self,
        context: SweepContext,
        table: Table,
        shape: RowShape,
        reader: RowReader,
        audit: Audit,
        beside: Beside,
        closer: EvictionStep,
        hooks: Sequence[EvictionStep] = (),
    ) -> None:
        """``closer`` and ``hooks`` act in this order, between the audit line and the removal."""
        self._context = context
        self._tally = context.tally
        self._table = table
        rules = context.rules
        self._removal = Removal(table, shape, reader, rules, context.wall_clock)
        self._audit = audit
        self._beside = beside
        self._closer = closer
        self._hooks = hooks
        self._results = EvictionResults(context.tally)
        self._line = TaskLine()
        self._is_over = False
        self._awaits_step = False
        self._has_given_up = False

    @property
    def fault(self) -> Exception | None:
        """What made evictions fail, if anything did."""
        return self._results.fault

    @property
    def is_busy(self) -> bool:
        return self._line.is_busy

    @property
    def batch_size(self) -> int:
        """How many ids are taken together: fewer where each takes long, so that none waits."""
        is_quick = self._removal.is_quick and not self._hooks
        return EVICTION_BATCH if is_quick else SLOW_BATCH

    def evict(self, zombies: Iterable[Zombie]) -> None:
        """Evict each row that is still as it was read, as ``advance`` is called.

        Where the audit log cannot be written, or a whole batch fails, the rest of this sweep's
        zombies are not tried any more, and fail with it.
        """
        for batch in self._batches(zombies):
            self._line.add(self._evict_batch(batch))

    def advance(self) -> None:
        """Go on with what is done by now. Waits for nothing."""
        self._line.advance()

    @property
    def _why_not_begun(self) -> _Why | None:
        """Why nothing more is begun, if that is so."""
        if self._context.is_stopping():
            return _Stays.STOPPED
        return EvictionsLate() if self._is_over else None

    def end(self) -> None:
        """The sweep has to end: nothing more is begun, and what is begun is brought to its end.

        Rows that were not evicted are left for the next sweep.
        """
        self._is_over = True

    def cut(self) -> None:
        """Wait no more for a hook. Its rows are left for the next sweep."""
        self._line.advance()
        if self._awaits_step:
            self._line.interrupt(
                HookError(
                    "the on-evict hook had not answered when the sweep had to end; its rows stay,"
                    " and are evicted by a later sweep",
                    "see whether its function is slow, or throttled by its concurrency limit",
                )
            )

    def conclude(self) -> None:
        """Nothing more will be evicted in this sweep: say what is worth saying of all of them."""
        self._results.conclude()

    def abandon(self) -> None:
        """Wait no more for a table, or an audit log, that hangs. What it does later is not known.

        Each of its rows has its audit line, or is still there.
        """
        why = "neither the audit log nor the table had answered when the sweep had to end"
        while self._line.is_busy:
            self._line.advance()
            self._line.interrupt(TableError(why))

    def _batches(self, zombies: Iterable[Zombie]) -> Iterator[list[list[Zombie]]]:
        """Zombies grouped by connection."""
        groups: dict[object, list[Zombie]] = {}
        for zombie in zombies:
            groups.setdefault(self._removal.group(zombie.row), []).append(zombie)
        waiting = iter(groups.values())
        first = next(iter(groups.values()), [])
        size = self.batch_size
        if first and first[0].reason is Reason.DEAF:
            size = DEAF_BATCH
        while batch := list(itertools.islice(waiting, size)):
            yield batch

    def _evict_batch(self, batch: Sequence[Sequence[Zombie]]) -> Task:
        zombies = [zombie for group in batch for zombie in group]
        why = self._why_not_begun
        if why is _Stays.STOPPED:
            self._results.held(len(zombies))
            return
        if self._has_given_up:
            self._results.not_tried(len(zombies))
            return
        if isinstance(why, Exception):
            self._results.failed(zombies, why)
            self._has_given_up = True
            return
        try:
            evictions, touched, vanished, refused = yield self._beside(
                LANE, partial(recheck, batch, self._table, self._removal)
            )
        except TableError as error:
            self._results.failed(zombies, error)
            self._has_given_up = True
            return
        self._results.kept(touched)
        self._results.already_gone(vanished)
        for zombies, why in refused:
            self._results.failed(zombies, why)
        if self._context.rules.dry_run:
            self._results.would_evict(evictions)
            return
        try:
            yield self._write_down(EVICT, evictions)
        except AuditError as error:
            self._results.failed([zombie for one in evictions for zombie in one.zombies], error)
            self._has_given_up = True
            return
        yield from self._carry_out(evictions)

    # The audit log

    def _write_down(self, says: str, evictions: Iterable[Eviction]) -> Future[None]:
        """The future raises AuditError."""
        entries = []
        for eviction in evictions:
            entries += [self._entry(says, *dead, goes_along=False) for dead in eviction.dead]
            for item in eviction.along:
                entries.append(self._entry(says, eviction.whose, item, goes_along=True))
        return self._beside(LANE, partial(self._audit.write, entries))

    def _entry(self, says: str, zombie: Zombie, item: Item, *, goes_along: bool) -> dict[str, Any]:
        return audit_entry(
            says,
            zombie,
            item,
            at=self._context.wall_clock(),
            table=self._table.name,
            key=self._removal.shape.key_of(item),
            action=self._removal.action,
            cleared=self._removal.cleared_of(zombie.row),
            goes_along=goes_along,
        )

    # The steps, and the removal

    def _carry_out(self, evictions: list[Eviction]) -> Task:
        """Each step narrows down what goes; what stays is accounted for at the end."""
        evicted_before, failed_before = self._tally.evicted, self._tally.failed
        stays: list[tuple[Eviction, _Why]] = []
        steps = (self._closer, *self._hooks)
        acts: list[_Act] = [*(partial(self._take, step) for step in steps), self._remove]
        for act in acts:
            outcomes = yield from act(evictions)
            results = list(zip(evictions, outcomes, strict=True))
            evictions = [eviction for eviction, why in results if why is None]
            stays += [(eviction, why) for eviction, why in results if why is not None]
        self._results.evicted(
            [zombie for one in evictions for zombie in one.zombies],
            rows_along=sum(len(one.along) for one in evictions),
        )
        if stays:
            yield from self._settle(stays)
        if self._tally.failed > failed_before and self._tally.evicted == evicted_before:
            self._has_given_up = True

    def _take(self, step: EvictionStep, evictions: Sequence[Eviction]) -> _Results:
        results: list[_Why | None] = []
        for start in range(0, len(evictions), HOOK_BATCH):
            some = evictions[start : start + HOOK_BATCH]
            if (why := self._why_not_begun) is not None:
                results += [why] * len(some)
                continue
            self._awaits_step = True
            try:
                results += yield step([eviction.whose for eviction in some])
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows stay, and count
                results += [error] * len(some)
            self._awaits_step = False
        return results

    def _remove(self, evictions: Sequence[Eviction]) -> _Results:
        try:
            changes = yield self._beside(LANE, partial(self._removal.remove, evictions))
        except Exception as error:  # noqa: BLE001 - whatever it is, what went must be counted
            return [error] * len(evictions)
        return [_why_it_stays(change) for change in changes]

    # What stays

    def _settle(self, stays: Sequence[tuple[Eviction, _Why]]) -> Task:
        """Count what was not removed, and take back the lines of rows that are still there.

        A row that is not there was removed after all: by a hook, by a request whose answer was
        lost, or by the application. Its line stays good.
        """
        remaining = [eviction for eviction, _ in stays]
        try:
            items = [item for one, _ in stays for item in one.items]
            there = yield self._beside(LANE, partial(self._removal.still_there, items))
            remaining = [one.reduced_to(there) for one, _ in stays]
            yield self._write_down(KEPT, remaining)
        except (TableError, AuditError) as unsettled:
            self._results.failed([], unsettled)
        evicted: list[Zombie] = []
        failed: dict[str, tuple[Exception, list[Zombie]]] = {}
        for (eviction, why), remains in zip(stays, remaining, strict=True):
            staying = remains.zombies
            still = {zombie.row.identity for zombie in staying}
            evicted += [one for one in eviction.zombies if one.row.identity not in still]
            if why is _Stays.TOUCHED:
                self._results.kept(staying)
            elif why is _Stays.STOPPED:
                self._results.held(len(staying))
            elif staying and isinstance(why, Exception):
                failed.setdefault(str(why), (why, []))[1].extend(staying)
        self._results.evicted(evicted)
        for error, zombies in failed.values():
            self._results.failed(zombies, error)


def _why_it_stays(change: Change | Exception) -> _Why | None:
    if isinstance(change, Exception):
        return change
    return None if change is Change.DONE else _Stays.TOUCHED


def hook_step(hook: Hook, beside: Beside) -> EvictionStep:
    """A hook as a step of eviction."""
    return lambda zombies: beside(HOOK_LANE, partial(hook, zombies))
