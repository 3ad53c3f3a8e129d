"""Who checks in with the cron monitor, and what becomes of a sweep."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reaper.core.portion import WholeTable
from reaper.daemon.daemon import Daemon
from reaper.schedule.ports import Outcome
from reaper.telemetry.health import Health
from tests.support.portions import Some
from tests.support.reports import a_report, a_sweep


class Monitor:
    """Alerts that only note how the cron monitor was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def sweep_started(self) -> str:
        self.calls.append("started")
        return "checkin"

    def sweep_ended(self, checkin: str | None, seconds: float, *, ok: bool) -> None:
        self.calls.append(f"ended {checkin} {ok}")

    def check_in(self, seconds: float, *, ok: bool) -> None:
        self.calls.append(f"checked in {ok}")


def daemon(monitor: Monitor, sweep) -> Daemon:
    publisher = SimpleNamespace(publish=lambda result: None, publish_fault=lambda *_: None)
    worker, schedule = SimpleNamespace(sweep=sweep), SimpleNamespace()
    return Daemon(worker, publisher, monitor, Health(300), schedule, None)


@pytest.mark.parametrize(
    ("portion", "calls"),
    [
        (None, ["started", "ended checkin True"]),
        (Some((0, 3)), ["checked in True"]),
        (Some((1, 2)), []),
    ],
)
def test_of_workers_who_share_a_sweep_one_checks_in_for_all(portion, calls):
    monitor = Monitor()
    daemon(monitor, lambda *_, **__: a_sweep())._sweep(portion)
    assert monitor.calls == calls


def test_how_a_sweep_ended_is_told():
    def fails(*_, **__):
        raise RuntimeError("broken")

    cut_short = a_sweep(a_report(complete=False))
    lost = Some((1,), is_lost=True)
    monitor = Monitor()
    assert daemon(monitor, lambda *_, **__: a_sweep())._sweep(None).outcome is Outcome.DONE
    assert daemon(monitor, lambda *_, **__: cut_short)._sweep(None).outcome is Outcome.CUT_SHORT
    assert daemon(monitor, lambda *_, **__: a_sweep())._sweep(lost).outcome is Outcome.LOST
    assert daemon(monitor, fails)._sweep(WholeTable(4, 0.0)).outcome is Outcome.FAILED
    stopping = daemon(monitor, lambda *_, **__: a_sweep())
    stopping._stopping.set()
    assert stopping._sweep(None).outcome is Outcome.STOPPED
