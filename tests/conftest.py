"""For all tests: no log noise, an environment without our variables, reproducible properties."""

from __future__ import annotations

import logging
import os
import shutil

import hypothesis
import pytest
import structlog

from tests.support.installed import CHROMIUM

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


collect_ignore = [
    *([] if CHROMIUM else ["integration/test_status_page.py"]),
    *([] if shutil.which("systemd-analyze") else ["deploy/test_systemd.py"]),
    *([] if shutil.which("logrotate") else ["deploy/test_logrotate.py"]),
    *([] if shutil.which("promtool") else ["deploy/test_prometheus_rules.py"]),
]


def pytest_report_header() -> list[str]:
    return [
        f"not tested, for lack of a browser, systemd, logrotate or promtool: {path}"
        for path in collect_ignore
    ]


def pytest_terminal_summary(terminalreporter) -> None:
    """How many shapes of tables are understood without a hint. Each that is not fails its test."""
    tried = [
        one
        for outcome in ("passed", "failed")
        for one in terminalreporter.getreports(outcome)
        if one.when == "call" and "test_a_sweep_with_what_is_found_is_exact" in one.nodeid
    ]
    found = sum(one.passed for one in tried)
    if tried:
        terminalreporter.write_line(f"shapes of tables found by discover: {found} of {len(tried)}")
