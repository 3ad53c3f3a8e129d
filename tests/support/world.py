"""A small world without sockets or seconds: a table, a gateway and a clock that tests turn."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import msgspec

from reaper.aws.dynamodb.wire import Page
from reaper.core.errors import AuditError, TableError
from reaper.core.evidence.breaker import BreakerLimits
from reaper.core.evidence.memory import Memory
from reaper.core.model import Answer, Ask, Change, Outcome, Probe, Zombie
from reaper.core.pongs import PongRules
from reaper.core.report.report import Details, Progress, Report
from reaper.core.report.tally import Tally
from reaper.core.rows.clearing import Clearing
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import AttributePath, Item, Position, attribute
from reaper.core.rows.members import Leaving, put
from reaper.core.rows.reader import RowReader
from reaper.core.rows.row import MissedPongs, Row
from reaper.core.rows.shape import MISSED_PONGS, RowShape
from reaper.core.sweep_rules import EvictAction, EvictScope, SweepRules
from reaper.core.triage import TriageRules
from reaper.sweep.context import SweepContext
from reaper.sweep.ports import Assignments, Beside, Outside
from reaper.sweep.sweep import Sweep
from tests.support.builders import DEFAULT_RULES, ENDPOINT, NOW
from tests.support.builders import SHAPE as PLAIN_SHAPE

LATENCY_SECONDS = 0.02

SHAPE = replace(PLAIN_SHAPE, endpoint=(("endpoint",),), counts_pongs=True)
NO_PONGS = PongRules(timeout_seconds=0, max_missed=3, forget_after_seconds=900)
PONGS = PongRules(timeout_seconds=10, max_missed=3, forget_after_seconds=900)


def at_once(_: str, work: Callable[[], Any]) -> Future[Any]:
    """Work that may wait, done while the sweep waits for it."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - whoever waits for it is told
        future.set_exception(error)
    return future


class Slowly:
    """Work that may wait, done by lane, each after so many seconds of the world's time."""

    def __init__(self, world: World, seconds: dict[str, float]) -> None:
        self._world = world
        self._seconds = seconds

    def __call__(self, lane: str, work: Callable[[], Any]) -> Future[Any]:
        due_at = self._world.moment + self._seconds.get(lane, 0.0)
        return _Later(lambda: self._world.moment >= due_at, work)


class _Later(Future[Any]):
    """Work that is done when somebody looks and it is time."""

    def __init__(self, is_due: Callable[[], bool], work: Callable[[], Any]) -> None:
        super().__init__()
        self._is_due = is_due
        self._work = work

    def done(self) -> bool:
        if not super().done() and self._is_due():
            try:
                self.set_result(self._work())
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                self.set_exception(error)
        return super().done()


class PromiseBroken(BaseException):
    """No mere Exception, which the reaper would count as a failed eviction and go on."""


@dataclass
class World:
    """Everything outside of a sweep. Moments are seconds since the world began, at NOW."""

    rows: dict[str, Item] = field(default_factory=dict)
    """By the value of their key."""
    key_name: str = "connectionId"
    alive: set[str] = field(default_factory=set)
    last_active: dict[str, float] = field(default_factory=dict)
    """By the gateway's account: epoch seconds."""
    lies: dict[str, list[Outcome]] = field(default_factory=dict)
    """What to answer about an id instead of the truth, answer by answer; then the truth."""
    born_at: dict[str, float] = field(default_factory=dict)
    """When an id becomes alive."""
    answers_all: Outcome | None = None
    answers_posts: Outcome | None = None
    on_answer: Callable[[Probe, float], None] = lambda probe, now: None
    page_size: int = 10
    page_every_seconds: float = 0.0
    moment: float = 0.0
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent_at: list[float] = field(default_factory=list)
    heartbeats: Counter[str] = field(default_factory=Counter)
    closed: list[str] = field(default_factory=list)
    pongs_due: dict[str, float] = field(default_factory=dict)
    pong_after: dict[str, float] = field(default_factory=dict)
    """How many seconds after a heartbeat a client's row shows that it was heard of."""
    told: list[Zombie] = field(default_factory=list)
    hook_fails: Callable[[Zombie], Exception | None] = lambda zombie: None
    audit: list[dict[str, Any]] = field(default_factory=list)
    audit_is_full: bool = False
    delete_fails: TableError | None = None
    scan_fails_after: int | None = None
    stop_at: float = float("inf")
    tally: Tally = field(default_factory=Tally)
    """The counters of the last sweep."""
    memory: Memory = field(default_factory=Memory)
    """What the process remembers."""
    opened_at: dict[str, float] = field(default_factory=dict)
    """When the gateway saw a client connect, in epoch seconds; it does not tell of others."""
    host_is_ahead_seconds: float = 0.0
    """What the host's clock shows too much."""
    gets_count: bool = False
    """Whether a GET by itself counts as activity."""
    confirm_delay: float = 60.0
    action: EvictAction = EvictAction.DELETE
    """Of the last sweep."""
    beside: Beside = at_once
    """How work that may wait is done."""
    connects: Any = None
    """Who counts the connects of an API, if anybody does."""

    def add(
        self,
        name: str,
        *,
        alive: bool,
        age: float | None = 600,
        silent: float | None = None,
        messages: int = 0,
        active: float | None = None,
        **attributes: Any,
    ) -> None:
        """A row ``age`` seconds old, last seen ``silent`` seconds ago by its own account."""
        item: Item = {"connectionId": {"S": name}, **attributes}
        if age is not None:
            item["connectedAt"] = {"N": str(NOW - age)}
        if silent is not None:
            item["lastSeenAt"] = {"N": str(NOW - silent)}
        if messages:
            item["messageCount"] = {"N": str(messages)}
        self.rows[name] = item
        if alive:
            self.alive.add(name)
            if age is not None:
                self.opened_at[name] = NOW - age
            self.last_active[name] = NOW - (600 if active is None else active)

    def clock(self) -> float:
        return self.moment

    def wall_clock(self) -> float:
        """What is true."""
        return NOW + self.moment

    def host_clock(self) -> float:
        return self.wall_clock() + self.host_is_ahead_seconds

    def sweep(
        self,
        *,
        triage: TriageRules = DEFAULT_RULES,
        limits: BreakerLimits | None = None,
        pong: PongRules = NO_PONGS,
        action: EvictAction = EvictAction.DELETE,
        scope: EvictScope = EvictScope.ROW,
        dry_run: bool = False,
        rate: float = 1000,
        budget: float | None = None,
        until_next_turn: float = 300,
        spread_seconds: float = 0,
        question_seconds: float = inf,
        shape: RowShape = SHAPE,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Report:
        self.action = action
        self.tally, started = Tally(message_window_seconds=300), self.moment
        rules = SweepRules(
            triage=triage,
            breaker=limits or BreakerLimits(0.5, 20, 0.2),
            pong=pong,
            evict_action=action,
            evict_scope=scope,
            clearing=Clearing(shape.connection_id),
            confirm_delay_seconds=self.confirm_delay,
            next_turn_at=self.host_clock() + until_next_turn,
            budget_rps=budget or (1000 if spread_seconds else rate),
            first_rate_rps=rate,
            spread_seconds=spread_seconds,
            question_seconds=question_seconds,
            max_in_flight=None,
            dry_run=dry_run,
        )
        sweep = Sweep(
            SweepContext(
                rules,
                self.tally,
                self.clock,
                self.host_clock,
                self.is_stopping,
                memory=self.memory,
            ),
            shape,
            RowReader(
                shape, EndpointResolver(ENDPOINT, ENDPOINT.region, {"other.example.com": None})
            ),
            FakeScan(self),
            Outside(self, FakeGateway(self), self, self.beside, [self.hook], None, self.connects),
        )
        sweep.run(on_progress)
        self.fault, self.is_complete = sweep.fault, sweep.is_complete
        self.turn_calls, self.details = sweep.turn_calls, sweep.details
        return sweep.report(
            seconds=self.moment - started, messages=round(self.tally.counted_messages)
        )

    def answer_to(self, probe: Probe) -> Outcome:
        """The truth, or the lie that is told instead."""
        name = probe.connection_id
        is_born = self.moment >= self.born_at.get(name, float("inf"))
        truth = Outcome.ALIVE if name in self.alive or is_born else Outcome.GONE
        if self.answers_posts is not None and probe.ask is Ask.HEARTBEAT:
            return self.answers_posts
        lies = self.lies.get(name)
        return lies.pop(0) if lies else self.answers_all or truth

    def scan_order(self, names: list[str]) -> list[str]:
        return names

    def pass_to(self, moment: float) -> None:
        """Let time pass; it never goes back."""
        self.moment = max(self.moment, moment)

    def is_stopping(self) -> bool:
        return self.moment >= self.stop_at

    # --- the audit log and the table, as the evictor meets them -----------------------------

    name = "connections"
    fault: Exception | None = None
    is_complete: bool = False
    turn_calls: int = 0
    details: Details | None = None

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        if self.audit_is_full and entries:
            raise AuditError("No space left on device")
        self.audit += entries

    def hook(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        self.told += zombies
        return [self.hook_fails(zombie) for zombie in zombies]

    @property
    def row_estimate(self) -> int:
        return len(self.rows)

    def read(self, keys: Sequence[Item]) -> list[Item]:
        self.hear_pongs()
        names = [key[self.key_name]["S"] for key in keys]
        return [self.rows[name] for name in names if name in self.rows]

    def hear_pongs(self) -> None:
        """What clients answered has reached their rows by now."""
        for name, due in list(self.pongs_due.items()):
            if due <= self.moment and name in self.rows:
                self.rows[name] = self.rows[name] | {"lastSeenAt": {"N": str(NOW + due)}}
                del self.pongs_due[name]

    def delete(self, rows: Sequence[Row]) -> list[Change | TableError]:
        return [self._outcome(row) for row in rows]

    def _outcome(self, row: Row) -> Change | TableError:
        try:
            return self.delete_one(row)
        except TableError as error:
            return error

    def delete_one(self, row: Row) -> Change:
        if self.delete_fails is not None:
            raise self.delete_fails
        if self.action is not EvictAction.DELETE:
            raise PromiseBroken(f"a row was deleted although the action is {self.action.value}")
        if not self.is_unchanged(row):
            return Change.REFUSED
        self.must_be_audited(self.rows.pop(row.key[self.key_name]["S"]))
        return Change.DONE

    def remove_members(
        self, shape: RowShape, leaving: Sequence[Leaving]
    ) -> list[Change | TableError]:
        outcomes: list[Change | TableError] = []
        for one in leaving:
            try:
                outcomes.append(self.remove_from(shape, one))
            except TableError as error:
                outcomes.append(error)
        return outcomes

    def remove_from(self, shape: RowShape, leaving: Leaving) -> Change:
        if self.delete_fails is not None:
            raise self.delete_fails
        name = leaving.item[self.key_name]["S"]
        there = {one.position: one.item for one in shape.members_in(self.rows.get(name, {}))}
        for position, item, _ in leaving.members:
            now = there.get(position)
            if now is None or shape.watched_in(now) != shape.watched_in(item):
                return Change.REFUSED
        for _, item, _ in leaving.members:
            self.must_be_audited(item)
        gone = {member.position for member in leaving.members}
        self.rows[name] = without(self.rows[name], shape.collection, gone)
        return Change.DONE

    def must_be_audited(self, item: Item) -> None:
        if not any(entry["item"] == item for entry in self.audit):
            raise PromiseBroken(f"{item} went without an audit line")

    def note_missed_pongs(self, row: Row, missed: MissedPongs) -> Change:
        if not self.is_unchanged(row):
            return Change.REFUSED
        name = row.key[self.key_name]["S"]
        note = {"missed": {"N": str(missed.missed)}, "at": {"N": str(missed.at)}}
        note["unchanged"] = {"S": missed.unchanged}
        self.rows[name] = self.rows[name] | {MISSED_PONGS[0]: {"M": note}}
        return Change.DONE

    def is_unchanged(self, row: Row) -> bool:
        item = self.rows.get(row.key[self.key_name]["S"])
        return item is not None and row.is_untouched(item)

    def read_partition(self, key: Item) -> list[Item]:
        raise NotImplementedError

    def delete_together(self, *_: Any) -> Change:
        raise NotImplementedError

    def clear(self, row: Row, removed: Sequence[AttributePath], assigned: Assignments) -> Change:
        if self.delete_fails is not None:
            raise self.delete_fails
        if not self.is_unchanged(row):
            return Change.REFUSED
        name = row.key[self.key_name]["S"]
        self.must_be_audited(self.rows[name])
        gone = {path[0] for path in removed}
        kept = {n: v for n, v in self.rows[name].items() if n not in gone}
        self.rows[name] = kept | {path[0]: value for path, value in assigned}
        return Change.DONE


def without(item: Item, path: AttributePath, gone: set[Position]) -> Item:
    """A row without some members of the collection at ``path``."""
    ((kind, held),) = (attribute(item, path) or {}).items()
    if kind == "M":
        rest: Any = {key: value for key, value in held.items() if key not in gone}
    elif kind == "SS":
        rest = [text for text in held if text not in gone]
    else:
        rest = [one for n, one in enumerate(held) if n not in gone]
    if kind == "SS" and not rest:
        return {name: value for name, value in item.items() if name != path[0]}
    return put(item, path, {kind: rest})


class LivingWorld(World):
    """A world in which things happen by themselves, also while a sweep is under way."""

    def __init__(self, key_name: str = "connectionId") -> None:
        super().__init__(key_name=key_name)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), what))

    def pass_to(self, moment: float) -> None:
        while self._events and self._events[0][0] <= moment:
            due, _, what = heapq.heappop(self._events)
            self.moment = max(self.moment, due)
            what()
        super().pass_to(moment)


class FakeScan:
    """Pages of the rows as they are when they are read."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = world.scan_order(sorted(world.rows))
        self._stopped = False
        self._pages = 0

    @property
    def exhausted(self) -> bool:
        return self._stopped or not self._names

    def advance(self) -> None:
        """Its pages are there when they are asked for."""

    def next_page(self, wait_seconds: float) -> Page | None:
        if self._world.scan_fails_after is not None and self._pages >= self._world.scan_fails_after:
            raise TableError("there is no table connections any more")
        if self._world.moment < self._pages * self._world.page_every_seconds:
            self._world.pass_to(self._world.moment + wait_seconds)
            return None
        self._pages += 1
        size = self._world.page_size
        names, self._names = self._names[:size], self._names[size:]
        items = [self._world.rows[n] for n in names if n in self._world.rows]
        return Page(msgspec.json.encode(items), None, 1.0)

    def stop(self) -> None:
        self._stopped = True


class FakeGateway:
    """Answers with the truth after a little while, unless the world says to lie."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._under_way: list[tuple[float, int, Probe]] = []
        self._order = itertools.count()

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def start(self, probe: Probe) -> None:
        world = self._world
        world.asked[probe.connection_id, probe.ask.value] += 1
        world.sent_at.append(world.moment)
        due = world.moment + self.latency(probe)
        heapq.heappush(self._under_way, (due, next(self._order), probe))

    def latency(self, probe: Probe) -> float:
        return LATENCY_SECONDS

    def poll(self, wait_seconds: float) -> list[Answer]:
        world = self._world
        due = self._under_way[0][0] if self._under_way else float("inf")
        world.pass_to(min(due, world.moment + max(0.0, wait_seconds)))
        answers = []
        while self._under_way and self._under_way[0][0] <= world.moment:
            answers.append(self._answer(heapq.heappop(self._under_way)[2]))
        return answers

    def _answer(self, probe: Probe) -> Answer:
        world, name = self._world, probe.connection_id
        outcome = world.answer_to(probe)
        last_active = connected = None
        if probe.ask is Ask.CHECK and outcome is Outcome.ALIVE:
            last_active, connected = world.last_active.get(name), world.opened_at.get(name)
            if world.gets_count:
                world.last_active[name] = world.wall_clock()
        if outcome is Outcome.ALIVE and probe.ask is Ask.HEARTBEAT:
            world.heartbeats[name] += 1
            world.last_active[name] = world.wall_clock()
            if name in world.pong_after:
                world.pongs_due[name] = world.moment + world.pong_after[name]
        if outcome is Outcome.ALIVE and probe.ask is Ask.CLOSE:
            world.closed.append(name)
            world.alive.discard(name)
            outcome = Outcome.GONE
        world.on_answer(probe, world.moment)
        said_at = float(int(world.wall_clock())) if connected is not None else None
        return Answer(probe, outcome, outcome.value, last_active, connected, said_at)


def rules(**changes: Any) -> TriageRules:
    return replace(DEFAULT_RULES, **changes)
