"""How the daemon is, over time. What it follows from is in tests/core/report/test_condition.py."""

from __future__ import annotations

from reaper.core.report.condition import STUCK_AFTER_SECONDS, State
from reaper.core.report.troubles import Kind, Trouble
from reaper.telemetry.health import Health

HELD = Trouble(Kind.EVICTIONS_HELD, "7 evictions are held", "wait")
OVERRUN = Trouble(Kind.SWEEP_OVERRUN, "it is paced by the budget", "raise it")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_health() -> tuple[Health, Clock]:
    clock = Clock()
    return Health(300, clock, lambda: 1000 + clock.now), clock


def test_a_state_lasts_from_when_it_began():
    health, clock = a_health()
    clock.now = 10
    health.sweep_over([HELD], succeeded=True)
    clock.now = 310
    health.sweep_over([HELD], succeeded=True)
    assert health.condition[:2] == (State.DEGRADED, 1010)
    clock.now = 610
    health.sweep_over([], succeeded=True)
    assert health.condition[:2] == (State.OK, 1610)
    assert health.succeeded_at == 1610


def test_a_sweep_that_does_not_move_is_stuck():
    health, clock = a_health()
    health.sweep_moves()
    clock.now = STUCK_AFTER_SECONDS
    assert not health.is_stuck
    clock.now += 1
    assert health.is_stuck
    assert health.condition.state is State.FAILING
    health.sweep_moves()
    assert not health.is_stuck


def test_a_sweep_that_was_stopped_changes_nothing():
    health, _ = a_health()
    health.sweep_over([HELD], succeeded=True)
    health.sweep_over([], succeeded=None)
    assert health.condition.state is State.DEGRADED


def test_an_overrun_lasts_until_the_next_sweep_is_over():
    health, _ = a_health()
    health.sweep_over([HELD], succeeded=True)
    health.troubled(OVERRUN)
    health.troubled(OVERRUN)
    assert health.condition.why == f"{OVERRUN.why} (and 1 more: evictions-held)"
    health.sweep_over([], succeeded=True)
    assert health.condition.state is State.OK


def test_sweeps_are_late_until_one_fits_its_interval():
    health, _ = a_health()
    health.troubled(OVERRUN)
    health.sweep_over([], succeeded=True, took_seconds=301)
    assert health.condition.why == OVERRUN.why
    health.sweep_over([], succeeded=True, took_seconds=299)
    assert health.condition.state is State.OK


def test_who_has_nothing_to_sweep_is_well():
    health, clock = a_health()
    clock.now = 2000
    health.nothing_to_do()
    assert health.condition.state is State.OK
