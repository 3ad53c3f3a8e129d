"""Preflight of the work queue. No message on it is touched but for a look at one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reaper.aws.sqs import QueueError, QueueFacts, WorkQueue
from reaper.core.iam import arn_of
from reaper.core.segments import NoSegment, Segment
from reaper.preflight.finding import Finding, finding_of

SAFE_VISIBILITY_SECONDS = 15.0
"""A lease is kept three times within it, and has to outlive a slow answer of SQS."""


def check_queue(queue: WorkQueue, table: str, settings: Mapping[str, str]) -> Iterator[Finding]:
    """Each permission that is needed, and whether the queue is set up as it should be, for this
    table, swept by these settings, alone.
    """
    resource = _arn(queue)
    try:
        facts = queue.facts()
    except QueueError as error:
        yield finding_of(error, resource)
        return
    yield Finding(True, "sqs:GetQueueAttributes is granted")
    for permission, fault in queue.try_out():
        yield finding_of(fault, resource) if fault else Finding(True, f"{permission} is granted")
    yield _finding_of_visibility(facts)
    yield _finding_of_dead_letters(queue, facts)
    yield from _findings_of_a_message(queue, table, settings)


def _findings_of_a_message(
    queue: WorkQueue, table: str, settings: Mapping[str, str]
) -> Iterator[Finding]:
    """Whose the first one is that is to be had. It is there for its worker again at once."""
    try:
        message = queue.receive(wait_seconds=0, visibility_seconds=0)
    except QueueError:
        return  # its permission has its own line
    if message is None:
        return
    try:
        Segment.of_table(message.text, table, settings)
    except NoSegment as error:
        yield Finding(
            False,
            f"a message on the queue is not for workers like this one, since {error}: give each"
            " table a queue of its own (REAPER_QUEUE_URL), and its workers the same settings",
        )


def _finding_of_visibility(facts: QueueFacts) -> Finding:
    seconds = facts.visibility_seconds
    if seconds < SAFE_VISIBILITY_SECONDS:
        return Finding(
            False,
            f"the queue's visibility timeout of {seconds:g} s is too short to keep a segment: set"
            " VisibilityTimeout to 60",
        )
    return Finding(
        True,
        f"the segments of a worker that dies are swept by another {seconds:g} s later (the queue's"
        " visibility timeout)",
    )


def _finding_of_dead_letters(queue: WorkQueue, facts: QueueFacts) -> Finding:
    if facts.dead_letter_queue is None:
        return Finding(
            False,
            "the queue has no dead-letter queue, so that a segment which cannot be swept is tried"
            " for ever and nobody is told: give it a RedrivePolicy with a maxReceiveCount of 10",
        )
    try:
        count = queue.count_dead_letters(facts.dead_letter_queue)
    except QueueError as error:
        name = facts.dead_letter_queue.rsplit("/", 1)[1]
        return finding_of(error, f"{_arn(queue).rsplit(':', 1)[0]}:{name}")
    if count:
        return Finding(False, f"{count} segments were given up: see {facts.dead_letter_queue}")
    return Finding(True, f"no segment was given up: {facts.dead_letter_queue} is empty")


def _arn(queue: WorkQueue) -> str:
    name = queue.url.rsplit("/", 1)[1]
    return arn_of("sqs", queue.region, name)
