"""What a worker leases from a real queue by a clock that stands still, and what it does then."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from reaper.aws.sqs import QueueError, QueueFacts, WorkQueue
from reaper.core.report.condition import State
from reaper.core.report.swept import Outcome
from reaper.core.report.troubles import Kind, Trouble
from reaper.core.segments import Segment, segments_of_sweep
from reaper.schedule.enqueue import Enqueuer
from reaper.schedule.ports import Ended
from reaper.schedule.shared import SharedSchedule
from reaper.telemetry.alerts import Alerts, Watched
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.publish import Publisher
from tests.support.cloud import Queue
from tests.support.waiting import eventually

INTERVAL = 300.0
NOW = 6_000_010.0
"""Ten seconds after a tick."""

SWEEP = 20_000


class Recorder(Alerts):
    def __init__(self) -> None:
        super().__init__(Watched("us-east-1", "t"), cooldown_seconds=0, interval_seconds=INTERVAL)
        self.kinds: list[Kind] = []

    def alert(self, trouble: Trouble, state, report=None) -> None:
        self.kinds.append(trouble.kind)


class Sweeps:
    """Instead of sweeping: waits for all segments, and ends as it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, tuple[int, ...]]] = []
        self.outcome = Outcome.DONE
        self.took_seconds = 0.1

    def __call__(self, portion) -> Ended:
        eventually(lambda: portion.is_all_here)
        portion.close()
        self.seen.append((portion.started_at, portion.segments))
        return Ended(self.outcome, self.took_seconds)


class Running:
    def __init__(self, schedule: SharedSchedule, sweeps: Sweeps, alerts: Recorder, health: Health):
        self.schedule, self.sweeps, self.alerts, self.health = schedule, sweeps, alerts, health
        self.overruns: list[str | None] = []


@pytest.fixture
def queue(cloud) -> Queue:
    return cloud.make_queue(visibility_seconds=10, most_receives=10)


@pytest.fixture
def running(cloud, queue: Queue, monkeypatch) -> Iterator[Callable[..., Running]]:
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("reaper.schedule.lease.LEASE_ALL_SECONDS", 0.2)
    with ExitStack() as stack:

        def start(now: float = NOW, sweeps: Sweeps | None = None, queue: Queue = queue) -> Running:
            alerts, sweeps = Recorder(), sweeps or Sweeps()
            health = Health(INTERVAL)
            schedule = SharedSchedule(
                queue=WorkQueue(cloud.session, "us-east-1", queue.url),
                table="t",
                settings={},
                total_segments=4,
                interval_seconds=INTERVAL,
                publisher=Publisher([], alerts, History(), health, 0),
                health=health,
                wall_clock=lambda: now,
            )
            started = Running(schedule, sweeps, alerts, health)
            schedule.start(sweeps, started.overruns.append)
            stack.callback(schedule.stop, 5)
            return started

        yield start


def put(cloud, queue: Queue, *segments: Segment) -> None:
    WorkQueue(cloud.session, "us-east-1", queue.url).put(segments)


def test_it_enqueues_the_sweep_that_goes_on_and_leases_all_of_it(running):
    one = running()
    eventually(lambda: one.sweeps.seen)
    assert one.sweeps.seen == [(SWEEP * INTERVAL, (0, 1, 2, 3))]


def test_segments_of_another_table_are_left_to_its_workers_and_told(cloud, queue, running):
    """Two tables on one queue, in one sweep: neither keeps the other from being swept."""
    theirs = segments_of_sweep("u", SWEEP, INTERVAL, 4)
    put(cloud, queue, *theirs)
    one = running()

    def swept() -> set[int]:
        return {index for _, segments in one.sweeps.seen for index in segments}

    eventually(lambda: swept() == {0, 1, 2, 3})
    eventually(lambda: Kind.SWEEP_FAILED in one.alerts.kinds)
    assert queue.count() + queue.count("NotVisible") == len(theirs)
    eventually(lambda: "is shared with another table" in one.health.condition.why)
    assert one.health.condition.state is State.DEGRADED
    assert "a queue of its own" in one.health.condition.next


@pytest.mark.parametrize(
    ("variable", "kinds"), [("REAPER_HEARTBEAT_MODE", [Kind.SWEEP_FAILED]), ("REAPER_DRY_RUN", [])]
)
def test_segments_of_workers_with_other_settings_are_left_to_them(
    cloud, queue, running, variable, kinds
):
    """Sockets fell silent whose segments a worker took that sends no heartbeats."""
    theirs = segments_of_sweep("t", SWEEP, INTERVAL, 4, {variable: "another"})
    put(cloud, queue, *theirs)
    one = running()
    eventually(lambda: {n for _, some in one.sweeps.seen for n in some} == {0, 1, 2, 3})
    assert queue.count() + queue.count("NotVisible") == len(theirs)
    if kinds:
        eventually(lambda: f"have other settings ({variable})" in one.health.condition.why)
    assert set(one.alerts.kinds) == set(kinds)


def test_where_there_is_no_dead_letter_queue_what_is_no_segment_is_deleted(cloud, running):
    """It would hold up its group for as long as the queue keeps it."""
    lonely = cloud.make_lonely_queue(visibility_seconds=10)
    lonely.send("nobody's", Segment("t", SWEEP, INTERVAL, 0, 4).group)
    one = running(queue=lonely)
    eventually(lambda: one.alerts.kinds == [Kind.SWEEP_FAILED])
    eventually(lambda: one.sweeps.seen)
    assert one.sweeps.seen == [(SWEEP * INTERVAL, (0, 1, 2, 3))]


def test_a_sweep_that_is_half_over_is_not_enqueued_any_more(running, queue):
    one = running(now=NOW + 150)
    time.sleep(0.5)
    assert (one.sweeps.seen, queue.count()) == ([], 0)


def test_a_segment_whose_sweep_is_over_is_passed_over_for_the_one_that_follows(
    cloud, queue, running
):
    """Nothing piles up: who comes back after an hour sweeps once."""
    put(cloud, queue, Segment("t", SWEEP - 12, INTERVAL, 0, 4))
    one = running()
    eventually(lambda: one.sweeps.seen)
    assert one.sweeps.seen == [(SWEEP * INTERVAL, (0, 1, 2, 3))]
    assert one.alerts.kinds == [], "too long ago to tell of too few workers"


def test_a_segment_that_has_waited_since_the_sweep_before_tells_of_too_few_workers(
    cloud, queue, running
):
    put(cloud, queue, *segments_of_sweep("t", SWEEP - 1, INTERVAL, 4)[:1])
    one = running()
    eventually(lambda: one.sweeps.seen)
    assert one.sweeps.seen == [(SWEEP * INTERVAL, (0, 1, 2, 3))]
    assert one.alerts.kinds == [Kind.SWEEP_OVERRUN]


def test_late_is_better_than_never_where_the_sweep_that_goes_on_is_not_enqueued(
    cloud, queue, running
):
    put(cloud, queue, *segments_of_sweep("t", SWEEP - 1, INTERVAL, 2))
    one = running(now=NOW + 200)
    eventually(lambda: len(one.sweeps.seen) == 2)
    assert {started_at for started_at, _ in one.sweeps.seen} == {(SWEEP - 1) * INTERVAL}


def test_workers_of_another_interval_or_with_a_clock_ahead_stop_nobody(cloud, queue, running):
    """What is enqueued by them begins now at the latest, whatever they call it."""
    put(cloud, queue, Segment("t", 100_000, 60.0, 9, 10), Segment("t", SWEEP + 12, INTERVAL, 8, 10))
    one = running()
    eventually(lambda: len(one.sweeps.seen) == 3)
    assert set(one.sweeps.seen) == {
        (100_000 * 60.0, (9,)),
        (SWEEP * INTERVAL, (0, 1, 2, 3)),
        (NOW, (8,)),
    }


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CUT_SHORT])
def test_what_could_not_be_swept_is_there_for_others_at_once(cloud, queue, running, outcome):
    sweeps = Sweeps()
    sweeps.outcome = outcome
    one = running(sweeps=sweeps)
    eventually(lambda: sweeps.seen)
    eventually(lambda: queue.count() == 4)
    assert len(one.sweeps.seen) == 1, "it lets others try first"


def test_who_has_failed_is_not_healthy_because_others_do_its_work(running, queue, monkeypatch):
    monkeypatch.setattr("reaper.schedule.shared.RETRY_SECONDS", 0.5)
    sweeps = Sweeps()
    sweeps.outcome = Outcome.FAILED
    one = running(sweeps=sweeps)
    eventually(lambda: sweeps.seen)
    other = running()
    eventually(lambda: other.sweeps.seen and not queue.count() and not queue.count("NotVisible"))
    time.sleep(5)
    assert other.health.succeeded_at > time.time() - 4
    assert one.health.succeeded_at is None


def test_however_long_the_queue_is_away_one_attempt_follows_another(running, queue, monkeypatch):
    monkeypatch.setattr("reaper.schedule.enqueue.RETRY_SECONDS", 0.2)
    attempts = itertools.count()

    def fail(*_: object) -> None:
        next(attempts)
        raise QueueError("out of reach")

    planner = Enqueuer(
        SimpleNamespace(put=fail, url="q"),
        lambda: None,
        "t",
        {},
        4,
        0.5,
        lambda *_: None,
        time.time,
    )
    planner.start()
    time.sleep(4)
    planner.stop(1)
    assert 3 <= next(attempts) <= 40


@pytest.mark.parametrize(
    ("back_after_seconds", "sweeps", "said"), [(200, [SWEEP], []), (250, [], ["sweep skipped"])]
)
def test_after_an_outage_a_late_sweep_is_enqueued_or_its_loss_is_told(
    monkeypatch, back_after_seconds, sweeps, said
):
    monkeypatch.setattr("reaper.schedule.enqueue.RETRY_SECONDS", 9_999)
    put: list[int] = []
    told: list[str] = []
    now = [SWEEP * INTERVAL]

    def take(segments: list[Segment]) -> None:
        if now[0] < SWEEP * INTERVAL + back_after_seconds:
            raise QueueError("out of reach")
        put.append(segments[0].sweep)

    queue = SimpleNamespace(put=take, url="https://sqs.example.com/1/q.fifo")
    enqueuer = Enqueuer(
        queue,
        lambda: QueueFacts(60, None),
        "t",
        {},
        4,
        INTERVAL,
        lambda fault, what: told.append(what),
        lambda: now[0],
    )
    for seconds in (0, back_after_seconds):
        now[0] = SWEEP * INTERVAL + seconds
        enqueuer.enqueue()
    assert (put, told) == (sweeps, ["sweep not enqueued", *said])


def test_a_sweep_that_is_longer_than_its_interval_is_told(running):
    sweeps = Sweeps()
    sweeps.took_seconds = INTERVAL + 1
    one = running(sweeps=sweeps)
    eventually(lambda: one.overruns == [None])


def test_a_fault_of_ours_releases_the_segments(queue, running):
    class Broken(Sweeps):
        def __call__(self, portion) -> Ended:
            eventually(lambda: portion.is_all_here)
            self.seen.append((portion.started_at, portion.segments))
            raise RuntimeError("a fault of ours")

    one = running(sweeps=Broken())
    eventually(lambda: one.alerts.kinds == [Kind.SWEEP_FAILED])
    assert queue.count() == 4


def test_segments_that_were_given_up_are_told_once(cloud, monkeypatch):
    """Each look finds those of before again; only more of them are news."""
    told: list[str] = []
    found = iter([2, 2, 3, 3])
    queue = SimpleNamespace(put=lambda _: None, count_dead_letters=lambda _: next(found))
    facts = QueueFacts(60, "https://sqs.example.com/1/dead.fifo")
    now = [NOW]
    enqueuer = Enqueuer(
        queue,
        lambda: facts,
        "t",
        {},
        4,
        INTERVAL,
        lambda fault, what: told.append(what),
        lambda: now[0],
    )
    for _ in range(4):
        enqueuer.enqueue()
        now[0] += INTERVAL
    assert told == ["segments given up"]
