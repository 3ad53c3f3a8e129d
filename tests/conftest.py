"""For all tests: no log noise, an environment without our variables, reproducible properties."""

from __future__ import annotations

import logging
import os

import hypothesis
import pytest
import structlog

from tests.browser import CHROMIUM

hypothesis.settings.register_profile(
    "default", deadline=None, derandomize=True, print_blob=True, max_examples=150
)
hypothesis.settings.load_profile("default")
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No test sees the settings or the credentials of whoever runs it."""
    for name in os.environ:
        if name.startswith(("REAPER_", "AWS_", "SENTRY_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def pytest_report_header() -> str:
    found = CHROMIUM or "none found, so the status page is not tested in one: apt install chromium"
    return f"browser: {found}"
