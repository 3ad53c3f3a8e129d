"""What tells workers apart who must not share a sweep."""

from __future__ import annotations

import pytest

from reaper.config.fingerprint import fingerprint
from reaper.config.settings import variables


@pytest.fixture
def given(monkeypatch):
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    return lambda **values: [monkeypatch.setenv(f"REAPER_{name}", values[name]) for name in values]


def test_what_decides_of_rows_or_heartbeats_tells_workers_apart(given):
    given(HEARTBEAT_MODE="off", API_ENDPOINT="https://a.example/prod", LOG_LEVEL="debug")
    first = fingerprint()
    assert set(first) == {"REAPER_HEARTBEAT_MODE", "REAPER_API_ENDPOINT"}
    given(API_ENDPOINT="https://b.example/prod")
    assert fingerprint()["REAPER_HEARTBEAT_MODE"] == first["REAPER_HEARTBEAT_MODE"]
    assert fingerprint()["REAPER_API_ENDPOINT"] != first["REAPER_API_ENDPOINT"]


def test_what_is_spelled_out_and_is_the_default_does_not(given):
    given(HEARTBEAT_MODE=" idle ", SCAN_SEGMENTS="4")
    assert fingerprint() == {}


def test_no_value_can_be_read_from_it(given):
    given(HEARTBEAT_PAYLOAD="a secret")
    assert "secret" not in str(fingerprint())
