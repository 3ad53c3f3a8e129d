"""The simulated worlds have no need of naps: in them time passes by itself."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_naps(monkeypatch):
    monkeypatch.setattr("reaper.sweep.sweep.MAX_NAP_SECONDS", 5.0)
    monkeypatch.setattr("reaper.sweep.sweep.BESIDE_NAP_SECONDS", 0.5)
