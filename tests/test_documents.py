"""What the documents say is what the program does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from reaper.environment import NOT_YET, load_settings
from reaper.settings import variables

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "deploy/systemd/reaper.env.example"
README = (ROOT / "README.md").read_text()


def test_readme_holds_the_table_of_variables(capsys):
    from reaper.cli import main

    assert main(["env", "--markdown"]) == 0
    assert capsys.readouterr().out in README


def test_readme_names_no_variable_that_does_not_exist():
    named = set(re.findall(r"REAPER_[A-Z_]+[A-Z]", README))
    assert named <= set(variables())


def test_the_environment_example_is_made_from_the_settings(capsys):
    from reaper.cli import main

    assert main(["env", "--example"]) == 0
    assert capsys.readouterr().out == EXAMPLE.read_text()


def test_the_example_with_every_default_spelled_out_is_the_example(monkeypatch):
    """So what it shows as a default is one, and a shell reads it as it is meant."""
    spelled_out = re.sub(r"^#(REAPER_[A-Z_]+=.)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    settings = []
    for text in (EXAMPLE.read_text(), spelled_out):
        for line in subprocess.run(
            ["env", "-i", "sh", "-c", 'set -a; eval "$0"; env', text],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith("REAPER_"):
                monkeypatch.setenv(name, value)
        settings.append(load_settings("eu-west-1"))
    assert settings[0] == settings[1]
    assert settings[0].dry_run


def test_every_link_of_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_no_variable_is_both_there_and_yet_to_come():
    assert not {f"REAPER_{name}" for name in NOT_YET} & set(variables())
