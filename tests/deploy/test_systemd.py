"""The systemd unit, by systemd's own judgement."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "reaper.service"
MAX_EXPOSED = 1.5
"""Of 10, by `systemd-analyze security`; an ordinary service has 9."""


def test_the_unit_is_valid(tmp_path):
    """But for the program, which is installed elsewhere."""
    unit = tmp_path / "reaper.service"
    unit.write_text(UNIT.read_text().replace("/opt/reaper/bin/reaper", shutil.which("true")))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""


def test_the_unit_is_hardened():
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true"),
            *(f"--threshold={MAX_EXPOSED * 10:.0f}", str(UNIT)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-300:]
    assert "Overall exposure level" in done.stdout
