"""`make install`, as a package would use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_is_installed_elsewhere_runs_from_its_final_place(tmp_path):
    staging = tmp_path / "staging"
    python = f"PYTHON={sys.base_prefix}/bin/python3"
    recipe = subprocess.run(
        ["make", "-n", "install", f"DESTDIR={staging}", python],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # A Python below /root, as this one may be, is refused for the unit; here it does.
    script = recipe[recipe.index(" -m venv ") - len(f"{sys.base_prefix}/bin/python3") :]
    subprocess.run(["bash", "-ec", script], cwd=ROOT, check=True, capture_output=True)

    made = staging / "opt/reaper"
    made_here = (path for path in (made / "bin").iterdir() if not path.is_symlink())
    texts = [path.read_bytes() for path in made_here if path.is_file()]
    assert texts
    assert not [text for text in texts if str(staging).encode() in text]
    assert (made / "bin/reaper").read_text().startswith("#!/opt/reaper/bin/python")
    version = [made / "bin/python", "-m", "reaper", "--version"]
    assert "reaper " in subprocess.run(version, capture_output=True, text=True, check=True).stdout
    assert (staging / "etc/reaper/reaper.env").stat().st_mode & 0o777 == 0o600
    assert (staging / "etc/systemd/system/reaper.service").exists()
