"""What the documents say is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from reaper.environment import NOT_YET
from reaper.settings import variables

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_readme_holds_the_table_of_variables(capsys):
    from reaper.cli import main

    assert main(["env", "--markdown"]) == 0
    assert capsys.readouterr().out in README


def test_readme_names_no_variable_that_does_not_exist():
    named = set(re.findall(r"REAPER_[A-Z_]+[A-Z]", README))
    assert named <= set(variables())


def test_the_environment_example_holds_known_variables_only():
    example = (ROOT / "deploy/systemd/reaper.env.example").read_text()
    named = set(re.findall(r"^#?(REAPER_[A-Z_]+)=", example, re.MULTILINE))
    assert named <= set(variables())


def test_every_link_of_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_no_variable_is_both_there_and_yet_to_come():
    assert not {f"REAPER_{name}" for name in NOT_YET} & set(variables())
