"""Work on lanes of threads, and tasks that go on when what they wait for is done."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from reaper.sweep.beside import LaneThreads, TaskLine


def test_a_lane_that_hangs_holds_up_no_other():
    beside, released = LaneThreads(), threading.Event()
    stuck = beside("a", lambda: released.wait(10))
    behind = beside("a", lambda: "late")
    assert beside("b", lambda: "at once").result(5) == "at once"
    assert not behind.done()
    released.set()
    assert (stuck.result(5), behind.result(5)) == (True, "late")


def test_what_was_cancelled_before_its_turn_is_never_done():
    beside, released, done = LaneThreads(), threading.Event(), []
    beside("a", lambda: released.wait(10))
    assert beside("a", lambda: done.append("cancelled")).cancel()
    released.set()
    beside("a", lambda: done.append("next")).result(5)
    assert done == ["next"]


def test_an_exception_is_told_and_the_lane_goes_on():
    beside = LaneThreads()

    def fails() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        beside("a", fails).result(5)
    assert beside("a", lambda: 1).result(5) == 1


def a_task(story: list[object], *awaited: Future[object]):
    for one in awaited:
        try:
            story.append((yield one))
        except OSError as error:
            story.append(str(error))
    story.append("end")


def test_a_task_goes_on_when_its_future_is_done_and_the_next_after_its_end():
    line, story = TaskLine(), []
    first, second = Future(), Future()
    line.add(a_task(story, first))
    line.add(a_task(story, second))
    second.set_result("second")
    line.advance()
    assert (story, line.is_busy) == ([], True)
    first.set_exception(OSError("first failed"))
    line.advance()
    assert (story, line.is_busy) == (["first failed", "end", "second", "end"], False)


def test_an_interrupted_task_hears_why_and_its_work_is_cancelled():
    line, story, hanging = TaskLine(), [], Future()
    line.add(a_task(story, hanging))
    line.advance()
    line.interrupt(OSError("no more time"))
    assert (story, line.is_busy, hanging.cancelled()) == (["no more time", "end"], False, True)
    line.interrupt(OSError("nobody is there"))
