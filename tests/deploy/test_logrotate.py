"""The logrotate file that is shipped, tried with the real logrotate."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from reaper.telemetry.audit import AuditLog

SHIPPED = Path(__file__).parents[2] / "deploy" / "systemd" / "reaper.logrotate"


def test_no_line_goes_into_a_file_that_was_rotated_away(tmp_path):
    path, configuration = tmp_path / "audit.jsonl", tmp_path / "logrotate.conf"
    text = SHIPPED.read_text().replace("/var/log/reaper/audit.jsonl", str(path))
    configuration.write_text(text)
    tmp_path.chmod(0o700)
    log = AuditLog(str(path))
    for n in range(3):
        log.write([{"n": n}])
        state = ("--state", str(tmp_path / "state"))
        program = shutil.which("logrotate")
        subprocess.run([program, "--force", *state, str(configuration)], check=True)
        assert not path.exists()
    log.write([{"n": 3}])

    assert json.loads(path.read_text()) == {"n": 3}
    assert json.loads((tmp_path / "audit.jsonl.1").read_text()) == {"n": 2}
    assert (tmp_path / "audit.jsonl.2.gz").exists()
