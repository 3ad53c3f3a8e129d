"""Who checks in with the cron monitor, and what becomes of a sweep."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reaper.core.portion import WholeTable
from reaper.core.report.report import Progress
from reaper.core.report.swept import Outcome
from reaper.daemon.daemon import Daemon
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


def daemon(monitor: Monitor, sweep, told: list | None = None) -> Daemon:
    publisher = SimpleNamespace(
        publish=lambda swept: None,
        tell_of_state=lambda: None,
        publish_trouble=(told if told is not None else []).append,
    )
    worker = SimpleNamespace(sweep=sweep, interval_seconds=300, budget_rps=100)
    schedule = SimpleNamespace(cure_at_budget="start more workers")
    return Daemon(worker, publisher, monitor, Health(300), schedule, None)


def finds(report=None):
    """A sweep that comes to its end."""
    return lambda *_, **__: (a_sweep(report) if report is not None else a_sweep()).result


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
    daemon(monitor, finds())._sweep(portion)
    assert monitor.calls == calls


def test_how_a_sweep_ended_is_told():
    def fails(*_, **__):
        raise RuntimeError("broken")

    cut_short = finds(a_report(complete=False))
    lost = Some((1,), is_lost=True)
    monitor = Monitor()
    assert daemon(monitor, finds())._sweep(None).outcome is Outcome.DONE
    assert daemon(monitor, cut_short)._sweep(None).outcome is Outcome.CUT_SHORT
    assert daemon(monitor, finds())._sweep(lost).outcome is Outcome.LOST
    assert daemon(monitor, fails)._sweep(WholeTable(4, 0.0)).outcome is Outcome.FAILED
    stopping = daemon(monitor, finds())
    stopping._stopping.set()
    assert stopping._sweep(None).outcome is Outcome.STOPPED


def test_a_stop_is_no_failure():
    monitor = Monitor()
    stopping = daemon(monitor, finds(a_report(complete=False)))
    stopping._stopping.set()
    stopping._sweep(None)
    assert monitor.calls == ["started", "ended checkin True"]


def test_an_overrun_is_told_with_its_cause():
    told = []

    def at_the_budget(*_, on_progress, **__):
        on_progress(Progress(calls=50_000))
        return a_sweep().result

    late = daemon(Monitor(), at_the_budget, told)
    late._sweep(None)
    late._overran(None)
    (trouble,) = told
    assert "paced by the budget: 50,000 requests" in trouble.why
    assert trouble.cure.startswith("start more workers")
