"""Who is told of what: the log, the state and the alerts never disagree."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reaper.core.errors import TableError
from reaper.core.evidence.breaker import HoldReason
from reaper.core.evidence.holds import Explanation
from reaper.core.report.condition import State
from reaper.core.report.swept import Outcome
from reaper.telemetry.health import Health
from reaper.telemetry.history import History
from reaper.telemetry.publish import Publisher
from tests.support.log_lines import log_lines
from tests.support.reports import a_failure, a_report, a_sweep

LOST = a_failure(TableError("there is no table t", "correct REAPER_TABLE_NAME"))
FINE = a_sweep(a_report(scanned=190, alive=150))
HELD = a_sweep(
    a_report(alive=1, held=3, hold_reason=HoldReason.TOO_MANY_GONE),
    why_held=Explanation("3 of 4 are zombies", "wait"),
)


class Told:
    """A publisher, and what came of it."""

    def __init__(self) -> None:
        self.alerts, self.recoveries = [], []
        self.now = 10_000.0
        self.health, self.history = Health(300, self.clock, self.clock), History()
        alerts = SimpleNamespace(
            alert=lambda trouble, state, report=None: self.alerts.append((trouble, state)),
            recovered=lambda over: self.recoveries.append((over.worst.state, over.lasted_seconds)),
            remember=lambda report, at: None,
        )
        self.publisher = Publisher([], alerts, self.history, self.health, 0, self.clock)

    def clock(self) -> float:
        return self.now

    def of(self, *sweeps) -> list[dict]:
        with log_lines() as lines:
            for swept in sweeps:
                self.now += 300
                self.publisher.publish(swept)
                self.publisher.tell_of_state()
        return lines


def test_a_failed_sweep_is_a_sweep():
    told = Told()
    lines = told.of(LOST)
    assert [past.swept for past in told.history.sweeps] == [LOST]
    assert told.health.condition.why == "there is no table t"
    assert told.health.condition.next == "correct REAPER_TABLE_NAME"
    ((trouble, state),) = told.alerts
    assert (str(trouble), state) == (str(LOST.fault), State.FAILING)
    failed = lines[0]
    assert (failed["event"], failed["why"], failed["cure"]) == (
        "sweep failed",
        "there is no table t",
        "correct REAPER_TABLE_NAME",
    )


def test_a_sweep_is_one_line_for_a_person_with_its_numbers_as_fields():
    (line,) = [one for one in Told().of(FINE) if one["event"] == "sweep finished"]
    assert line["summary"] == "swept 190 rows in 1.0 s: 150 alive, 0 evicted, 0 inconclusive"
    assert (line["scanned"], line["alive"]) == (190, 150)


def test_a_change_of_state_is_told_once():
    told = Told()
    changes = [line for line in told.of(FINE, HELD, HELD, LOST) if line["event"] == "state changed"]
    assert [(line["was"], line["state"]) for line in changes] == [
        ("starting", "ok"),
        ("ok", "degraded"),
    ]
    assert changes[1]["why"].endswith("3 of 4 are zombies")
    assert changes[1]["next"] == "wait"


def test_recovery_is_told_once_and_of_the_whole_outage():
    told = Told()
    told.of(FINE, HELD, LOST, LOST, LOST, HELD)
    recovered = [line for line in told.of(FINE, FINE, FINE, FINE) if line["event"] == "recovered"]
    assert [(line["was"], line["after_seconds"]) for line in recovered] == [("failing", 1500)]
    assert told.recoveries == [(State.FAILING, 1500)]


def test_what_fails_every_other_time_has_not_recovered():
    told = Told()
    told.of(FINE, *[LOST, FINE] * 5)
    assert told.recoveries == []


def test_a_restart_is_no_recovery():
    told = Told()
    assert not [line for line in told.of(FINE) if line["event"] == "recovered"]
    assert told.recoveries == []


def test_what_goes_wrong_between_sweeps_lasts_until_a_sweep_goes_well():
    told = Told()
    told.of(FINE)
    told.publisher.publish_fault(TableError("the queue is out of reach"))
    assert told.health.condition.state is State.DEGRADED
    told.of(FINE)
    assert told.health.condition.state is State.OK


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.LOST])
def test_a_sweep_that_was_stopped_changes_nothing(outcome):
    told = Told()
    told.of(HELD, a_sweep(a_report(complete=False), outcome=outcome))
    assert told.health.condition.state is State.DEGRADED
    assert len(told.history.sweeps) == 2
