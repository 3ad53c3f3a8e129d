"""Health: a sweep must finish within three intervals, and must move while it runs."""

from __future__ import annotations

from reaper.telemetry.health import STUCK_AFTER_SECONDS, Health


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_is_healthy_until_three_intervals_pass_without_a_sweep():
    clock = Clock()
    health = Health(300, clock)
    clock.now = 900
    assert health.is_healthy
    clock.now = 901
    assert not health.is_healthy
    health.sweep_over(finished=True)
    assert health.is_healthy


def test_a_sweep_that_failed_does_not_count():
    clock = Clock()
    health = Health(300, clock)
    clock.now = 901
    health.sweep_over(finished=False)
    assert not health.is_healthy


def test_a_sweep_that_does_not_move_is_stuck():
    clock = Clock()
    health = Health(300, clock)
    health.sweep_moves()
    clock.now = STUCK_AFTER_SECONDS
    assert not health.is_stuck
    clock.now += 1
    assert health.is_stuck
    assert not health.is_healthy
    health.sweep_moves()
    assert not health.is_stuck
