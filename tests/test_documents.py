"""What the documents say is what the program does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from reaper.config.environment import load_settings
from reaper.config.settings import variables
from reaper.core.evidence.breaker import HoldReason
from reaper.core.plan.plan import ONE_WORKER_RPS, plan
from reaper.core.plan.population import Population, Timetable
from reaper.core.platform import MAX_NEW_CONNECTIONS_PER_SECOND
from reaper.core.report.troubles import Kind
from reaper.core.triage import HeartbeatMode, TriageRules
from reaper.telemetry.health import Health
from reaper.telemetry.sinks.metrics import UNITS
from reaper.telemetry.sinks.prometheus import Build, PrometheusSink
from tests.support.reports import a_report, a_sweep

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "deploy/systemd/reaper.env.example"
DOCS = {path.name: path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}


def test_the_table_of_variables_is_made_from_the_settings(capsys):
    from reaper.cli import main

    assert main(["env", "--markdown"]) == 0
    assert capsys.readouterr().out in DOCS["variables.md"]


@pytest.mark.parametrize("page", DOCS)
def test_no_page_names_a_variable_that_does_not_exist(page):
    assert set(re.findall(r"REAPER_[A-Z_]+[A-Z]", DOCS[page])) <= set(variables())


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


@pytest.mark.parametrize("page", DOCS)
def test_every_link_leads_somewhere(page):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)\s]+)\)", DOCS[page]):
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        there = folder / path if path else folder / page
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert heading in map(anchor, headings), target


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_readme_is_a_face():
    assert len(DOCS["README.md"].splitlines()) <= 150
    linked = set(re.findall(r"\(docs/([\w-]+\.md)", DOCS["README.md"]))
    assert linked == DOCS.keys() - {"README.md"}


def test_every_file_that_a_page_names_in_passing_exists():
    named = set()
    for text in DOCS.values():
        named |= set(re.findall(r"`((?:reaper|tests|deploy|docs)/[\w./-]+)`", text))
    assert all((ROOT / path).exists() for path in named)


def test_the_runbook_knows_every_alert_and_every_reason_to_hold():
    runbook = DOCS["runbook.md"]
    for kind in Kind:
        assert f"\n## {kind.value}\n" in runbook
        assert f"| [`{kind.value}`](#{kind.value}) |" in runbook
    for reason in HoldReason:
        assert reason is HoldReason.DENIED or f"| `{reason.value}` |" in runbook


def test_every_metric_is_listed_by_both_names():
    health = Health(300)
    health.nothing_to_do()
    sink = PrometheusSink(10_000, Build("1", "eu-west-1", "t"), health)
    sink.publish(a_sweep(a_report(messages=1, heartbeat_message_ratio=1.0)))
    rows = re.findall(r"^\| ?`?(\w*)`? \| `(reaper_\w+)", DOCS["metrics.md"], re.MULTILINE)
    assert {name for name, _ in rows if name} == UNITS.keys()
    exposed = re.findall(r"^# TYPE (reaper_\w+)", sink.exposition().decode(), re.MULTILINE)
    assert {name for _, name in rows} == set(exposed)


def numbers_of(line: str) -> list[float]:
    """Those in the cells of a table's row."""
    cells = (cell.strip().replace(",", "").removeprefix("$") for cell in line.split("|"))
    return [float(cell) for cell in cells if re.fullmatch(r"[\d.]+", cell)]


def test_the_numbers_about_scale_are_what_the_plan_says():
    text = DOCS["scale.md"]
    mix = {
        "mean_life_seconds": 2400.0,
        "messages_per_minute": 1.0,
        "zombie_rate": 0.05,
        "row_bytes": 200,
    }
    timetable = Timetable(
        TriageRules(60, 7500, 180, HeartbeatMode.IDLE, 480), 300, 60, 1_000_000, 1
    )
    needs = [
        (numbers_of(line), "| yes |" in line)
        for line in text.splitlines()
        if re.match(r"\| [\d,]+ \| (yes|no) \|", line)
    ]
    assert len(needs) == 6
    for (connections, *told), has_seen in needs:
        of = plan(Population(int(connections), **mix, notes_last_seen=has_seen), timetable)
        read_units = of.read_units_per_month / (30 * 86_400 / 300) / 150
        needed = [of.rps, of.workers, read_units, of.heartbeat_dollars, of.table_dollars]
        assert told == [round(one) for one in needed]

    walls = [
        numbers_of(line)[:2] for line in text.splitlines() if re.match(r"\| [\d,]+ \| \d", line)
    ]
    of_a_million = [
        plan(Population(1_000_000, **mix, notes_last_seen=has_seen), timetable)
        for has_seen in (False, True)
    ]
    for told, of in zip(zip(*walls, strict=True), of_a_million, strict=True):
        read_units = of.read_units_per_month / (30 * 86_400 / 300) / 150
        rates = 1_000 / of.rps, ONE_WORKER_RPS / of.rps
        then = 10_000 / of.rps, 100 * ONE_WORKER_RPS / of.rps, 40_000 / read_units
        opened = MAX_NEW_CONNECTIONS_PER_SECOND * 2400 / 1e6
        assert told == pytest.approx([1e6 * one for one in (*rates, opened, *then)], rel=1e-5)
