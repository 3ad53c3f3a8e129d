"""The work queue and the leases on its segments, against a real SQS API."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from reaper.aws.sqs import Message, QueueError, WorkQueue
from reaper.core.segments import Segment, segments_of_sweep
from reaper.schedule.lease import RENEWALS_PER_TIMEOUT, Lease, LeasedSegment, sleepless_clock
from tests.support.cloud import Queue
from tests.support.waiting import eventually

VISIBILITY_SECONDS = 3
NEVER_STUCK = lambda: False  # noqa: E731


@pytest.fixture
def queues(cloud, monkeypatch) -> Queue:
    for name, value in cloud.standin.environment.items():
        monkeypatch.setenv(name, value)
    return cloud.make_queue(VISIBILITY_SECONDS)


@pytest.fixture
def worker(cloud, queues) -> Callable[[], WorkQueue]:
    return lambda url=queues.url: WorkQueue(cloud.session, "us-east-1", url)


def take(queue: WorkQueue) -> LeasedSegment | None:
    asked_at = sleepless_clock()
    message = queue.receive(0, VISIBILITY_SECONDS)
    return message and LeasedSegment(Segment.of_table(message.text, "t"), message, asked_at)


def take_all(queue: WorkQueue) -> list[LeasedSegment]:
    return list(iter(lambda: take(queue), None))


def test_however_many_plan_a_sweep_each_segment_is_handed_out_once(queues, worker):
    workers = [worker() for _ in range(3)]
    for one in workers:
        one.put(segments_of_sweep("t", 7, 300, 12))
    taken = [take_all(one) for one in workers]
    assert sorted(one.segment.index for some in taken for one in some) == list(range(12))

    workers[0].delete([one.message for some in taken for one in some])
    workers[1].put(segments_of_sweep("t", 7, 300, 12))
    assert take(workers[2]) is None


def test_a_segment_is_never_with_two_workers_not_even_of_two_sweeps(queues, worker):
    one, other = worker(), worker()
    one.put(segments_of_sweep("t", 1, 300, 1))
    one.put(segments_of_sweep("t", 2, 300, 1))
    first = take(one)
    assert first.segment.sweep == 1
    assert take(other) is None
    one.delete([first.message])
    assert take(other).segment.sweep == 2


def test_a_queue_tells_how_it_was_set_up(queues, worker):
    facts = worker().facts()
    assert (facts.visibility_seconds, facts.dead_letter_queue) == (
        VISIBILITY_SECONDS,
        queues.dead_letters_url,
    )
    assert worker().count_dead_letters(facts.dead_letter_queue) == 0


def test_what_is_taken_too_often_ends_in_the_dead_letter_queue(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 1))
    for times in (1, 2):
        message = queue.receive(0, VISIBILITY_SECONDS)
        assert message.receive_count == times
        queue.set_visibility([message], 0)
    assert queue.receive(0, VISIBILITY_SECONDS) is None
    assert queue.count_dead_letters(queues.dead_letters_url) == 1


def test_each_fault_of_the_queue_is_worded_for_an_operator(queues, worker, monkeypatch):
    missing = worker(f"{queues.url[:-5]}x.fifo")
    with pytest.raises(QueueError, match=r"there is no queue .*correct REAPER_QUEUE_URL"):
        missing.receive(0, VISIBILITY_SECONDS)
    with pytest.raises(QueueError, match=r"sqs:DeleteMessage .* failed for 1 of 1 messages"):
        worker().delete([Message("", "not a receipt", 1)])
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    with pytest.raises(QueueError, match=r"sqs:GetQueueAttributes on .* failed"):
        worker().facts()


def test_one_message_that_fails_keeps_no_other_from_being_deleted(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 12))
    messages = [one.message for one in take_all(queue)]
    with pytest.raises(QueueError, match="failed for 1 of 13 messages"):
        queue.delete([Message("", "not a receipt", 1), *messages])
    assert queues.count() == queues.count("NotVisible") == 0


def test_permissions_are_tried_out_without_touching_a_message(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 2))
    assert [fault for _, fault in queue.try_out()] == [None] * 4
    assert [permission for permission, _ in queue.try_out()] == [
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
    ]
    assert {one.message.receive_count for one in take_all(queue)} == {1}


# Leases


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return sleepless_clock() + self.ahead


def lease_of(
    queue: WorkQueue,
    clock=sleepless_clock,
    is_stuck=NEVER_STUCK,
    grow_seconds=60.0,
    first: LeasedSegment | None = None,
    receive_more=None,
) -> Lease:
    return Lease(
        queue,
        first or take(queue),
        receive_more or (lambda _: take(queue)),
        VISIBILITY_SECONDS,
        started_at=0.0,
        grow_seconds=grow_seconds,
        is_stuck=is_stuck,
        clock=clock,
    )


def test_a_lease_grows_until_nothing_is_left_and_all_of_it_is_done_at_once(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 8))
    lease = lease_of(queue)
    assert len(lease.segments) < 8
    eventually(lambda: lease.is_all_here)
    assert lease.segments == tuple(range(8))
    lease.complete()
    assert queues.count() == queues.count("NotVisible") == 0


def test_workers_who_begin_at_the_same_time_get_equally_many(queues, worker):
    workers = [worker() for _ in range(4)]
    workers[0].put(segments_of_sweep("t", 1, 300, 16))
    leases = [lease_of(one) for one in workers]
    eventually(lambda: all(lease.is_all_here for lease in leases))
    shares = sorted(len(lease.segments) for lease in leases)
    assert sum(shares) == 16
    assert shares[0] >= 2, "nearly, on a busy machine"
    for lease in leases:
        lease.complete()


def test_a_lease_keeps_its_segments_for_as_long_as_the_sweep_moves(queues, worker):
    queue, other = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 2))
    lease = lease_of(queue)
    time.sleep(4.5)
    assert not lease.is_lost
    assert take(other) is None
    lease.complete()
    assert queues.count() == queues.count("NotVisible") == 0


def test_a_sweep_that_is_stuck_loses_its_segments_to_another_worker(queues, worker):
    queue, other = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 1))
    lease = lease_of(queue, is_stuck=lambda: True)
    eventually(lambda: lease.is_lost, seconds=8)
    eventually(lambda: take(other), seconds=8)
    lease.complete()
    assert queues.count("NotVisible") == 1, "it is the other's by now, and stays so"


def test_who_was_away_for_too_long_knows_it_before_anybody_else_has_the_segments(queues, worker):
    """A stopped process goes on as if nothing had happened, but for the clock."""
    queue, clock = worker(), Clock()
    queue.put(segments_of_sweep("t", 1, 300, 1))
    lease = lease_of(queue, clock)
    assert not lease.is_lost
    clock.ahead = VISIBILITY_SECONDS
    assert lease.is_lost
    time.sleep(VISIBILITY_SECONDS / RENEWALS_PER_TIMEOUT)
    assert lease.is_lost, "what was lost is not renewed again"


def test_what_is_released_can_be_taken_at_once(queues, worker):
    queue, other = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 3))
    lease = lease_of(queue)
    eventually(lambda: lease.is_all_here)
    lease.release()
    assert [one.message.receive_count for one in take_all(other)] == [2, 2, 2]


def test_what_another_worker_has_lost_is_taken_while_the_sweep_goes_on(queues, worker, monkeypatch):
    monkeypatch.setattr("reaper.schedule.lease.LOOK_AGAIN_SECONDS", 0.3)
    queue, dead = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 2))
    take(dead)
    lease = lease_of(queue)
    eventually(lambda: lease.is_all_here)
    assert len(lease.segments) == 1
    eventually(lambda: lease.segments == (0, 1), seconds=5)
    lease.complete()
    assert queues.count() == queues.count("NotVisible") == 0


def test_nothing_is_added_once_the_sweep_is_over(queues, worker, monkeypatch):
    monkeypatch.setattr("reaper.schedule.lease.LOOK_AGAIN_SECONDS", 0.3)
    queue, dead = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 2))
    lost = take(dead)
    lease = lease_of(queue)
    eventually(lambda: lease.is_all_here)
    lease.close()
    dead.set_visibility([lost.message], 0)
    time.sleep(1)
    assert len(lease.segments) == 1
    lease.complete()
    assert take(queue).segment == lost.segment


def test_nothing_is_added_that_was_asked_for_before_the_sweep_was_over(queues, worker):
    queue, closing = worker(), []
    queue.put(segments_of_sweep("t", 1, 300, 2))

    def take_too_late(_: int) -> LeasedSegment | None:
        eventually(lambda: closing)
        taken = take(queue)
        closing[0].close()
        return taken

    first = take(queue)
    lease = lease_of(queue, first=first, receive_more=take_too_late)
    closing.append(lease)
    eventually(lambda: lease.is_all_here)
    assert queues.count() == 1
    assert lease.segments == (first.segment.index,)
    lease.complete()


def test_the_queues_own_timeout_may_change_while_a_segment_is_being_swept(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 1))
    queues.client.set_queue_attributes(QueueUrl=queues.url, Attributes={"VisibilityTimeout": "0"})
    lease = lease_of(queue)
    assert take(worker()) is None
    time.sleep(1)
    assert take(worker()) is None
    lease.complete()


def test_what_cannot_be_taken_before_the_sweep_is_over_is_not_waited_for(queues, worker):
    queue = worker()
    queue.put(segments_of_sweep("t", 1, 300, 8))
    lease = lease_of(queue, grow_seconds=0.5)
    eventually(lambda: lease.is_all_here, seconds=2)
    assert len(lease.segments) < 8
    lease.complete()


def test_a_segment_of_the_next_sweep_is_left_to_the_next_lease(queues, worker):
    queue = worker()
    queue.put([*segments_of_sweep("t", 1, 300, 2)[:1], *segments_of_sweep("t", 2, 300, 2)[1:]])
    lease = lease_of(queue)
    eventually(lambda: lease.is_all_here)
    assert lease.segments == (0,)
    assert take(queue).segment == Segment("t", 2, 300, 1, 2)
    lease.complete()


def test_a_queue_out_of_reach_costs_the_lease_but_harms_nothing(queues, worker):
    queue, other = worker(), worker()
    queue.put(segments_of_sweep("t", 1, 300, 2))
    first, failures = take(queue), itertools.count()

    def fail(*_: object) -> None:
        next(failures)
        raise QueueError("out of reach")

    broken = worker()
    broken.set_visibility = broken.delete = fail
    lease = lease_of(broken, first=first, receive_more=fail)
    eventually(lambda: lease.is_lost, seconds=8)
    assert next(failures) >= 2
    lease.release()
    eventually(lambda: len(take_all(other)) > 0, seconds=8)
