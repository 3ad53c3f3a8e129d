"""A table that another API writes into too, told by the number of connects."""

from __future__ import annotations

import threading

import pytest

from reaper.core.evidence.breaker import HoldReason
from reaper.core.triage import HeartbeatMode
from tests.support.world import World, rules

OFF = rules(heartbeat_mode=HeartbeatMode.OFF)


class Counts:
    """Tells what it is told to tell, once it may."""

    def __init__(self, connects: int | None) -> None:
        self.connects_told = connects
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.calls = 0

    def connects(self, endpoint, window):
        self.calls += 1
        self.may_tell.wait(5)
        return self.connects_told


@pytest.fixture(autouse=True)
def _real_threads_have_time(monkeypatch):
    """The world's seconds pass much faster than theirs."""
    monkeypatch.setattr("reaper.sweep.evidence.shared_table.MAX_WAIT_SECONDS", 1e6)


def a_world(connects: int | None) -> World:
    """Twenty who live, and ten whose sockets another API holds."""
    world = World()
    for n in range(20):
        world.add(f"live-{n}", alive=True, age=1200 + n)
    for n in range(10):
        world.add(f"other-{n}", alive=False, age=1200 + n)
    world.connects = Counts(connects)
    return world


@pytest.mark.parametrize("connects", [0, 20, 29])
def test_fewer_connects_than_rows_hold_the_table(connects):
    world = a_world(connects)
    report = world.sweep(triage=OFF)

    assert (report.hold_reason, report.evicted) == (HoldReason.SHARED_TABLE, 0)
    assert world.connects.calls == 1


@pytest.mark.parametrize("connects", [30, 4000, None])
def test_as_many_connects_as_rows_or_nobody_who_counts_hold_nothing(connects):
    report = a_world(connects).sweep(triage=OFF)
    assert (report.hold_reason, report.evicted) == (None, 10)


def test_a_count_that_does_not_come_holds_up_nobody_for_long(monkeypatch):
    monkeypatch.setattr("reaper.sweep.evidence.shared_table.MAX_WAIT_SECONDS", 20.0)
    world = a_world(0)
    world.connects.may_tell.clear()
    report = world.sweep(triage=OFF)
    world.connects.may_tell.set()

    assert (report.hold_reason, report.evicted) == (None, 10)
    assert report.seconds < 300


def test_rows_whose_time_says_nothing_are_not_counted():
    world = a_world(0)
    for n in range(20):
        world.opened_at[f"live-{n}"] += 5000
    assert world.sweep(triage=OFF).hold_reason is not HoldReason.SHARED_TABLE
