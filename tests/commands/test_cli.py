"""The command line: what each command costs before it begins."""

from __future__ import annotations

import os
import subprocess
import sys


def test_health_which_a_container_asks_for_twice_a_minute_loads_nothing_of_aws():
    code = (
        "import sys; from reaper.cli import main; code = main(['health']);"
        " print(code, [one for one in ('boto3', 'pynamodb', 'sentry_sdk') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"REAPER_HTTP_BIND": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "1 []\n", done.stderr
