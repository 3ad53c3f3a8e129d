"""When the daemon sweeps again."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from reaper.daemon import BREATH_SECONDS, RETRY_SECONDS, Daemon


class Job:
    next_run_time: datetime | None = None

    def modify(self, next_run_time: datetime) -> None:
        self.next_run_time = next_run_time


@pytest.mark.parametrize(
    ("interval", "took", "finished", "again_in"),
    [
        (300, 100, True, None),
        (300, 301, True, BREATH_SECONDS),
        (300, 301, False, BREATH_SECONDS),
        (300, 1, False, RETRY_SECONDS),
        (5, 1, False, 5),
    ],
)
def test_a_sweep_that_failed_or_was_too_long_costs_no_whole_interval(
    interval, took, finished, again_in
):
    nobody = SimpleNamespace()
    daemon = Daemon(nobody, nobody, nobody, nobody, interval)
    daemon._job = Job()
    now = datetime.now(UTC)
    daemon._bring_forward(took, finished=finished)

    if again_in is None:
        assert daemon._job.next_run_time is None
    else:
        assert (daemon._job.next_run_time - now).total_seconds() == pytest.approx(again_in, abs=0.5)


def test_told_to_stop_it_does_not_sweep_again():
    nobody = SimpleNamespace()
    daemon = Daemon(nobody, nobody, nobody, nobody, 300)
    daemon._job = Job()
    daemon._stopping.set()
    daemon._bring_forward(1000, finished=False)

    assert daemon._job.next_run_time is None
