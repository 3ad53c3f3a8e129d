"""`make install`, as a package would use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.base_prefix}/bin/python3"
SOURCES = ("reaper", "deploy", "setup.cfg", "pyproject.toml", "constraints.txt", "README.md")


def test_what_is_installed_elsewhere_runs_from_its_final_place(tmp_path):
    """The program alone: what it depends on comes from where all of it comes from."""
    staging, tree = tmp_path / "staging", tmp_path / "tree"
    tree.mkdir()
    for name in (*SOURCES, "Makefile"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    made = ["make", "-n", "install", f"DESTDIR={staging}", f"PYTHON={PYTHON}"]
    recipe = subprocess.run(
        made, cwd=tree, env=env, capture_output=True, text=True, check=True
    ).stdout
    # A Python below /root, as this one may be, is refused for the unit; here it does.
    script = recipe[recipe.index(f"{PYTHON} -m venv ") :]
    env |= {"PIP_NO_DEPS": "1"}
    done = subprocess.run(
        ["bash", "-ec", script], cwd=tree, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

    venv = staging / "opt/reaper"
    made_here = (path for path in (venv / "bin").iterdir() if not path.is_symlink())
    texts = [path.read_bytes() for path in made_here if path.is_file()]
    assert texts
    assert not [text for text in texts if str(staging).encode() in text]
    assert (venv / "bin/reaper").read_text().startswith("#!/opt/reaper/bin/python")
    found = "import importlib.metadata as m; print(m.version('apigw-reaper'))"
    assert subprocess.run([venv / "bin/python", "-c", found], check=True).returncode == 0
    assert (staging / "etc/reaper/reaper.env").stat().st_mode & 0o777 == 0o600
    assert (staging / "etc/systemd/system/reaper.service").exists()
