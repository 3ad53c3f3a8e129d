"""What the documents say is what the program does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from reaper.core.alerts import Kind
from reaper.core.breaker import HoldReason
from reaper.core.plan import NEW_CONNECTIONS_PER_SECOND, ONE_WORKER_RPS, plan
from reaper.core.population import Population, Schedule
from reaper.core.triage import HeartbeatMode, TriageRules
from reaper.environment import load_settings
from reaper.settings import variables
from reaper.telemetry.sinks.metrics import UNITS
from reaper.telemetry.sinks.prometheus import PrometheusSink
from tests.telemetry.reports import a_report, a_sweep

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


def test_the_runbook_knows_every_alert_and_every_reason_to_hold():
    runbook = (ROOT / "docs/runbook.md").read_text()
    for kind in Kind:
        assert f"\n## {kind.value}\n" in runbook
        assert f"| `{kind.value}` |" in README
    for reason in HoldReason:
        assert reason is HoldReason.DENIED or f"| `{reason.value}` |" in runbook
    assert set(re.findall(r"REAPER_[A-Z_]+[A-Z]", runbook)) <= set(variables())


def test_readme_lists_every_metric_by_both_names():
    sink = PrometheusSink(10_000)
    sink.publish(a_sweep(a_report(messages=1, heartbeat_message_ratio=1.0)))
    rows = re.findall(r"^\| ?`?(\w*)`? \| `(reaper_\w+)", README, re.MULTILINE)
    assert {name for name, _ in rows if name} == UNITS.keys()
    exposed = re.findall(r"^# TYPE (reaper_\w+)", sink.exposition().decode(), re.MULTILINE)
    assert {name for _, name in rows} == set(exposed)


def numbers_of(line: str) -> list[float]:
    """Those in the cells of a table's row."""
    cells = (cell.strip().replace(",", "").removeprefix("$") for cell in line.split("|"))
    return [float(cell) for cell in cells if re.fullmatch(r"[\d.]+", cell)]


def test_the_numbers_about_scale_are_what_the_plan_says():
    text = (ROOT / "docs" / "scale.md").read_text()
    mix = {
        "mean_life_seconds": 2400.0,
        "messages_per_minute": 1.0,
        "zombie_rate": 0.05,
        "row_bytes": 200,
    }
    schedule = Schedule(TriageRules(60, 7500, 180, HeartbeatMode.IDLE, 480), 300, 60, 1_000_000, 1)
    needs = [
        (numbers_of(line), "| yes |" in line)
        for line in text.splitlines()
        if re.match(r"\| [\d,]+ \| (yes|no) \|", line)
    ]
    assert len(needs) == 6
    for (connections, *told), has_seen in needs:
        of = plan(Population(int(connections), **mix, notes_last_seen=has_seen), schedule)
        read_units = of.read_units_per_month / (30 * 86_400 / 300) / 150
        needed = [of.rps, of.workers, read_units, of.heartbeat_dollars, of.table_dollars]
        assert told == [round(one) for one in needed]

    walls = [
        numbers_of(line)[:2] for line in text.splitlines() if re.match(r"\| [\d,]+ \| \d", line)
    ]
    of_a_million = [
        plan(Population(1_000_000, **mix, notes_last_seen=has_seen), schedule)
        for has_seen in (False, True)
    ]
    for told, of in zip(zip(*walls, strict=True), of_a_million, strict=True):
        read_units = of.read_units_per_month / (30 * 86_400 / 300) / 150
        rates = 1_000 / of.rps, ONE_WORKER_RPS / of.rps
        then = 10_000 / of.rps, 100 * ONE_WORKER_RPS / of.rps, 40_000 / read_units
        opened = NEW_CONNECTIONS_PER_SECOND * 2400 / 1e6
        assert told == pytest.approx([1e6 * one for one in (*rates, opened, *then)], rel=1e-5)
