"""The progress bar says what it waits for."""

from __future__ import annotations

import pytest

from reaper.core.report.report import Progress
from reaper.telemetry.progress import what_it_waits_for


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress(), ""),
        (Progress(suspects=12, next_look_seconds=23.4), "; asking 12 suspects again in 23 s"),
        (Progress(suspects=1200), "; asking 1,200 suspects again"),
        (Progress(suspects=3, next_look_seconds=1, is_evicting=True), "; evicting"),
    ],
)
def test_it_says_what_it_waits_for(progress, told):
    assert what_it_waits_for(progress) == told
