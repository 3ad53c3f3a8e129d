"""An overrun names what really makes the sweep late."""

from __future__ import annotations

import pytest

from reaper.core.report.overrun import overrun
from reaper.core.report.report import Progress


@pytest.mark.parametrize(
    ("progress", "paused", "cause", "cure"),
    [
        (Progress(calls=31_000), None, "paced by the budget: 31,000", "raise REAPER_QUOTA_SHARE"),
        (
            Progress(waiting=400, calls=900, mean_latency_seconds=4.5),
            None,
            "gateway is slow: 400 probes wait, and it answers 3 a second of the 100",
            "MAX_IN_FLIGHT",
        ),
        (
            Progress(suspects=12, calls=10, scanned=1),
            None,
            "12 suspects wait",
            "REAPER_CONFIRM_DELAY",
        ),
        (Progress(is_evicting=True), None, "evictions are not done", "the hook"),
        (Progress(scanned=5, row_estimate=900), None, "5 of about 900", "SCAN_SEGMENTS"),
        (Progress(), None, "has brought no row so far", "DynamoDB"),
        (
            Progress(scanned=9, row_estimate=9, waiting=3, mean_latency_seconds=0.01),
            None,
            "3 probes wait for their turn",
            "QUOTA_SHARE",
        ),
        (Progress(calls=31_000), "the machine was suspended", "machine was suspended", "by itself"),
    ],
)
def test_the_cause_of_an_overrun(progress, paused, cause, cure):
    trouble = overrun(progress, 310, 300, 100, "raise REAPER_QUOTA_SHARE", paused)
    assert "running for 310 s, longer than REAPER_SWEEP_INTERVAL_SECONDS=300" in trouble.why
    assert cause in trouble.why
    assert cure in trouble.cure
