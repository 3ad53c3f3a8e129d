"""Hours in the life of a table: clients that come and go, and everything lies and fails.

One seed is one world. Nothing in it is real but the reaper's own code, from scan to eviction.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from math import inf
from typing import Any

from reaper.core.errors import AuditError, Refused, TableError
from reaper.core.evidence.memory import Memory
from reaper.core.model import Ask, Change, Outcome, Probe, Zombie
from reaper.core.pacing.rate import QUESTION_FRACTION, SPREAD_FRACTION, spread_rate
from reaper.core.pongs import PongRules
from reaper.core.report.report import Report
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.items import AttributeValue, Item
from reaper.core.rows.row import Row
from reaper.core.rows.shape import RowShape
from reaper.core.sweep_rules import EvictAction
from reaper.core.triage import HeartbeatMode
from tests.support.builders import DEFAULT_RULES, NOW
from tests.support.world import NO_PONGS, SHAPE, LivingWorld, PromiseBroken

INTERVAL = 300.0
IDLE_TIMEOUT = 600.0
MAX_LIFE_SECONDS = 7200.0
CONNECT_MAY_TAKE = 29.0
ANCHOR = "anchor"
"""A client that always stays: without any, no endpoint could ever be proven."""


OTHER_HOST = "https://other.example.com/prod"


class Killed(BaseException):
    """kill -9: nothing in the reaper gets to do anything about it."""


class Time(Enum):
    """What an application writes into ``connectedAt``."""

    NOTHING = "nothing"
    TRUE = "true"
    WEST = "a local time without its zone, some hours behind UTC"
    EAST = "the same, some hours ahead"
    DATE = "only the date"
    THOUSANDTH = "seconds where milliseconds are meant"
    SIGN_UP = "when the user first came"
    TTL = "when the row may be deleted"

    def write(self, opened: float, first_came: float) -> dict[str, str] | None:
        """The attribute of a connection; both are epoch seconds."""
        moment = datetime.fromtimestamp(opened, UTC)
        match self:
            case Time.NOTHING:
                return None
            case Time.TRUE:
                return {"N": str(opened)}
            case Time.WEST:
                return {"S": (moment - timedelta(hours=5)).replace(tzinfo=None).isoformat()}
            case Time.EAST:
                return {"S": (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat()}
            case Time.DATE:
                return {"S": moment.date().isoformat()}
            case Time.THOUSANDTH:
                return {"N": str(opened / 1000)}
            case Time.SIGN_UP:
                return {"N": str(first_came)}
            case Time.TTL:
                return {"N": str(opened + 10_800)}


@dataclass
class Blip:
    """For a while a part of the ids gets answers that are not the truth."""

    begins: float
    seconds: float
    part: float
    """Of the ids, the same ones all the while."""
    says: tuple[Outcome, ...]
    """One of them by chance, answer by answer."""
    endpoint: str = ""
    """Whose; empty for all."""

    def is_about(self, moment: float, rank: float, endpoint: Endpoint) -> bool:
        is_on = self.begins <= moment < self.begins + self.seconds
        return is_on and rank < self.part and self.endpoint in endpoint.host


@dataclass
class Troubles:
    """How likely it is, each time, that something goes wrong. All zero: a sane world."""

    no_answer: float = 0.0
    denied: float = 0.0
    throttled: float = 0.0
    once_a_sweep: float = 0.0
    """A 410 for a living one, or no answer, but only once in a sweep."""
    wrong_api: bool = False
    blackout: bool = False
    table: float = 0.0
    scan: float = 0.0
    revoked: bool = False
    disk_is_full: float = 0.0
    hook: float = 0.0
    kill: float = 0.0


@dataclass(frozen=True)
class Design:
    """What kind of table and application this world has."""

    keyed_by_user: bool
    time: Time
    stores_last_seen: bool
    expects_pongs: bool
    action: EvictAction
    mode: HeartbeatMode
    budget: float
    two_endpoints: bool = False
    host_is_ahead_seconds: float = 0.0
    gets_count: bool = False


class Life(LivingWorld):
    """Hours of it."""

    def __init__(self, seed: int, design: Design) -> None:
        super().__init__(key_name="userId" if design.keyed_by_user else "connectionId")
        random.seed(seed)  # panels are drawn by it
        self.random = random.Random(seed)
        self.design = design
        self.host_is_ahead_seconds = design.host_is_ahead_seconds
        self.gets_count = design.gets_count
        self.troubles = Troubles()
        self.blips: list[Blip] = []
        self.page_size = self.random.choice([1, 3, 10])
        self.living: set[str] = set()
        """Connections that are being opened or are open, or whose end nobody knows of yet."""
        self.deaf: set[str] = set()
        self.lost_to_idle: list[str] = []
        self.sweeps: list[Report] = []
        self.traffic: dict[str, float] = {}
        self.is_settling = False
        self.interval = INTERVAL
        self.heartbeat_interval = DEFAULT_RULES.heartbeat_interval_seconds
        self.messages = 0
        """What clients have said so far; pongs are not counted."""
        self._lied: set[str] = set()
        self.died_at: dict[str, float] = {}
        self._rank: dict[str, float] = {}
        self._first_came: dict[str, float] = {}
        self._names = itertools.count()
        self._calls_last_time: int | None = None
        self._kill_at = float("inf")

    # Clients

    def pass_to(self, moment: float) -> None:
        super().pass_to(moment)
        if self.moment >= self._kill_at:
            raise Killed

    def populate(self, clients: int, until: float) -> None:
        """So many users, each of whom comes, stays a while in some way, and perhaps returns."""
        self.at(self.moment, lambda: self.connect(ANCHOR, stays=True))
        for n in range(clients):
            self.at(self.random.uniform(0, until), lambda n=n: self.connect(f"user{n}"))

    def connect(self, user: str, *, stays: bool = False) -> None:
        if self.is_settling:
            return
        connection, begun = f"{user}-{next(self._names)}", self.moment
        opens_at = begun + self.random.uniform(0, CONNECT_MAY_TAKE)
        self.living.add(connection)
        stored_at = self.random.uniform(begun, opens_at)
        self.at(stored_at, lambda: self._store(user, connection, begun))
        if not stays and self.random.random() < 0.05:
            self.at(opens_at, lambda: self._close(connection))  # $connect failed
            return
        self.at(opens_at, lambda: self._open(connection))
        if self.random.random() < 0.4:
            self.at(opens_at, lambda: self._talk(connection))
        if not stays:
            leaves = self.random.choice([self._leave, self._vanish, self._move, self._freeze])
            at = opens_at + self.random.uniform(1, 4000)
            self.at(at, lambda: leaves(user, connection))

    def _key_of(self, user: str, connection: str) -> str:
        return user if self.design.keyed_by_user else connection

    def _store(self, user: str, connection: str, begun: float) -> None:
        item: Item = {"connectionId": {"S": connection}}
        if self.design.keyed_by_user:
            item["userId"] = {"S": user}
        if self.design.two_endpoints and ord(user[-1]) % 3 == 0:
            item["endpoint"] = {"S": OTHER_HOST}
        first_came = self._first_came.setdefault(user, NOW + begun - 10_000_000)
        time = self.design.time.write(NOW + begun, first_came)
        if time is not None:
            item["connectedAt"] = time
        if self.design.stores_last_seen:
            item["lastSeenAt"] = {"N": str(NOW + self.moment)}
        self._put(user, connection, item)

    def _put(self, user: str, connection: str, item: Item) -> None:
        self.rows[self._key_of(user, connection)] = item

    def _row_of(self, connection: str) -> str | None:
        for key, item in self.rows.items():
            if item.get("connectionId", {}).get("S") == connection:
                return key
        return None

    def _open(self, connection: str) -> None:
        self.alive.add(connection)
        self.opened_at[connection] = self.wall_clock()
        self._note_traffic(connection)
        self.at(self.moment + MAX_LIFE_SECONDS, lambda: self._close(connection))

    def _note_traffic(self, connection: str) -> None:
        self.traffic[connection] = self.moment
        self.last_active[connection] = self.wall_clock()
        self.at(self.moment + IDLE_TIMEOUT, lambda: self._close_if_idle(connection))

    def _close_if_idle(self, connection: str) -> None:
        if connection in self.alive and self.moment - self.traffic[connection] >= IDLE_TIMEOUT:
            if connection not in self.deaf:
                self.lost_to_idle.append(connection)
            self._close(connection)

    def _close(self, connection: str) -> None:
        """The socket is gone and the row stays: a zombie."""
        self.alive.discard(connection)
        self.living.discard(connection)
        self.died_at[connection] = self.moment

    def _sign_of_life(self, connection: str) -> None:
        if self.design.stores_last_seen:
            self._note_seen(connection, {"N": str(self.wall_clock())})

    def _note_seen(self, connection: str, at: AttributeValue) -> None:
        key = self._row_of(connection)
        if key is not None:
            self.rows[key] = self.rows[key] | {"lastSeenAt": at}

    def _talk(self, connection: str) -> None:
        if connection in self.alive and connection not in self.deaf:
            self.messages += 1
            self._note_traffic(connection)
            self._sign_of_life(connection)
            self.at(self.moment + self.random.expovariate(1 / 200), lambda: self._talk(connection))

    def _leave(self, user: str, connection: str) -> None:
        """With a goodbye, and $disconnect does its work."""
        self._close(connection)
        self._take_out(connection)

    def _take_out(self, connection: str) -> None:
        key = self._row_of(connection)
        if key is not None:
            del self.rows[key]

    def _vanish(self, user: str, connection: str) -> None:
        """Without one; it may take the gateway a while to notice."""
        self.deaf.add(connection)
        noticed = self.moment + self.random.choice([0.0, self.random.uniform(0, 400)])
        self.at(noticed, lambda: self._close(connection))

    def _move(self, user: str, connection: str) -> None:
        """Into another network: the old socket dies, a new one opens under the same user."""
        self._vanish(user, connection)
        self.at(self.moment + self.random.uniform(0, 20), lambda: self.connect(user))

    def _freeze(self, user: str, connection: str) -> None:
        """The process stands still and the socket stays open."""
        self.deaf.add(connection)

    def hear_pongs(self) -> None:
        """Pongs arrive as events of their own."""

    # The gateway

    def answer_to(self, probe: Probe) -> Outcome:
        connection = probe.connection_id
        truth = Outcome.ALIVE if connection in self.alive else Outcome.GONE
        outcome = self._lie(probe, truth) or truth
        if outcome is Outcome.ALIVE and probe.ask is Ask.HEARTBEAT and truth is outcome:
            self._note_traffic(connection)
            if connection not in self.deaf:
                pong_at = self.moment + self.random.uniform(0.05, 9)
                self.at(pong_at, lambda: self._pong(connection))
        if outcome is Outcome.ALIVE and probe.ask is Ask.CLOSE:
            if connection in self.alive and connection not in self.deaf:
                raise PromiseBroken(f"closed the socket of {connection}, which is not deaf")
            self._close(connection)
        return outcome

    def _pong(self, connection: str) -> None:
        if connection in self.alive and connection not in self.deaf:
            self._note_traffic(connection)
            if self.design.expects_pongs:
                self._sign_of_life(connection)

    def _lie(self, probe: Probe, truth: Outcome) -> Outcome | None:
        troubles, draw, connection = self.troubles, self.random.random, probe.connection_id
        if troubles.wrong_api:
            return Outcome.GONE
        if troubles.blackout:
            return Outcome.UNKNOWN
        for blip in self.blips:
            rank = self._rank.setdefault(connection, draw())
            if blip.is_about(self.moment, rank, probe.endpoint):
                return self.random.choice(blip.says)
        if troubles.once_a_sweep:
            if connection in self._lied or draw() > troubles.once_a_sweep:
                return None
            self._lied.add(connection)
            lies = [Outcome.UNKNOWN, *([Outcome.GONE] if truth is Outcome.ALIVE else [])]
            return self.random.choice(lies)
        outcome = None
        for kind, likelihood in (
            (Outcome.UNKNOWN, troubles.no_answer),
            (Outcome.DENIED, troubles.denied),
            (Outcome.THROTTLED, troubles.throttled),
        ):
            outcome = kind if draw() < likelihood else outcome
        return outcome

    # The table, the audit log, the hook

    def scan_order(self, names: list[str]) -> list[str]:
        self.random.shuffle(names)
        return names

    def read(self, keys: Sequence[Item]) -> list[Item]:
        self._perhaps(self.troubles.table, TableError("the table is throttled"))
        return super().read(keys)

    def delete_one(self, row: Row) -> Change:
        return self._evict(row, lambda: super(Life, self).delete_one(row))

    def clear(self, row: Row, *changes: Any) -> Change:
        return self._evict(row, lambda: super(Life, self).clear(row, *changes))

    def _evict(self, row: Row, evict: Callable[[], Change]) -> Change:
        self._meet_troubles()
        held = self.rows.get(row.key[self.key_name]["S"], {}).get("connectionId", {}).get("S")
        change = evict()
        may_be_deaf = self.design.expects_pongs and held in self.deaf
        if change is Change.DONE and held in self.living and not may_be_deaf:
            raise PromiseBroken(f"evicted {held}, which is alive")
        return change

    def _meet_troubles(self) -> None:
        """Before something is changed in the table, which takes a moment."""
        self.pass_to(self.moment + 0.01)
        if self.troubles.revoked:
            raise TableError("dynamodb:DeleteItem is not granted", refused=Refused.NOT_GRANTED)
        self._perhaps(self.troubles.table, TableError("the table is throttled"))

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        self._perhaps(self.troubles.disk_is_full, AuditError("No space left on device"))
        super().write(entries)

    def hook(self, zombies: Sequence[Zombie]) -> list[Exception | None]:
        return [
            RuntimeError("not today") if self.random.random() < self.troubles.hook else None
            for _ in zombies
        ]

    def _perhaps(self, likelihood: float, error: Exception) -> None:
        if self.random.random() < likelihood:
            raise error

    # The reaper

    def sweep_at(self, moment: float, *, in_daemon: bool = True) -> Report | None:
        """One sweep as ``reaper run`` makes it. None when it was killed, or the table failed."""
        self.pass_to(moment)
        self._lied.clear()
        design = self.design
        spread = self.interval * SPREAD_FRACTION if in_daemon else 0.0
        if self.random.random() < self.troubles.kill:
            self._kill_at = self.moment + self.random.uniform(0, 40)
        self.scan_fails_after = None
        if self.random.random() < self.troubles.scan:
            self.scan_fails_after = self.random.randint(0, 5)
        rate = design.budget
        if spread and self._calls_last_time is not None:
            rate = spread_rate(self._calls_last_time, spread, design.budget)
        try:
            report = self.sweep(
                triage=replace(
                    DEFAULT_RULES,
                    heartbeat_mode=design.mode,
                    heartbeat_interval_seconds=self.heartbeat_interval,
                    fresh_seconds=self.interval
                    if design.mode is HeartbeatMode.OFF
                    else max(0.0, self.heartbeat_interval - self.interval),
                ),
                pong=PongRules(10, 3, 900) if design.expects_pongs else NO_PONGS,
                action=design.action,
                rate=rate,
                budget=design.budget,
                until_next_turn=self.interval + spread,
                spread_seconds=spread,
                question_seconds=QUESTION_FRACTION * self.interval if in_daemon else inf,
                shape=self.shape,
            )
        except Killed:
            self.memory = Memory()
            return None
        except TableError:
            return None
        finally:
            self._kill_at = float("inf")
        if self.is_complete:
            self._calls_last_time = self.turn_calls
        self.sweeps.append(report)
        return report

    @property
    def shape(self) -> RowShape:
        return replace(SHAPE, key_names=(self.key_name,))

    def settle_down(self) -> None:
        """From here on the world is sane, and nobody comes or goes any more."""
        self.troubles, self.blips = Troubles(), []
        self.connect(ANCHOR, stays=True)
        self.is_settling = True
        self.pass_to(self.moment + CONNECT_MAY_TAKE + 1)
        self._events = []

    def zombies(self, since: float = 0.0) -> set[str]:
        """Connections that have been dead for so many seconds and are in the table."""
        before = self.moment - since
        return {one for one in self._zombies if self.died_at.get(one, 0) <= before}

    @property
    def _zombies(self) -> set[str]:
        return self._held - self.living - self.alive

    @property
    def _held(self) -> set[str]:
        """The ids that are in the table."""
        return {item["connectionId"]["S"] for item in self.rows.values() if "connectionId" in item}

    def most_calls_in_a_second(self) -> int:
        sent = self.sent_at
        return max((bisect_right(sent, t + 1) - n for n, t in enumerate(sent)), default=0)
