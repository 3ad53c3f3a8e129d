"""The alert rules that are shipped, tried with Prometheus' own promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from reaper.telemetry.health import Health
from reaper.telemetry.sinks.prometheus import Build, PrometheusSink

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
PROMTOOL = shutil.which("promtool") or "promtool"

TEST = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: reaper_build_info{{instance="a"}}
        values: 1x60
      - series: {series}
        values: {values}
    alert_rule_test:
      - eval_time: {minutes}m
        alertname: {alert}
        exp_alerts: {expected}
"""


def test_promtool_finds_them_sound():
    subprocess.run([PROMTOOL, "check", "rules", str(RULES)], check=True)


def test_they_ask_for_what_there_is():
    health = Health(300)
    health.nothing_to_do()
    sink = PrometheusSink(10_000, Build("1", "eu-west-1", "t"), health)
    given = set(re.findall(r"^(reaper_\w+)", sink.exposition().decode(), re.MULTILINE))
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert {name for rule in rules for name in re.findall(r"reaper_\w+", rule["expr"])} <= given


@pytest.mark.parametrize(
    ("alert", "series", "values", "minutes"),
    [
        ("ReaperFailing", 'reaper_health_state{instance="a",state="failing"}', "1x60", 3),
        ("ReaperDegraded", 'reaper_health_state{instance="a",state="degraded"}', "1x60", 16),
        ("ReaperSilent", 'reaper_last_success_timestamp_seconds{instance="a"}', "0x60", 17),
        ("ReaperEvictionsFail", 'reaper_evictions_failed_total{instance="a"}', "0+1x60", 40),
    ],
)
@pytest.mark.parametrize("does_fire", [True, False])
def test_each_fires_when_it_should(tmp_path, alert, series, values, minutes, does_fire):
    """And not before: `promtool test` compares what fires with what is expected."""
    calm = values.replace("1x60", "0x60").replace("0+1x60", "0x60")
    if alert == "ReaperSilent":
        calm = "0+60x60"
    test = TEST.format(
        rules=RULES,
        series=f"'{series}'",
        values=f"'{values if does_fire else calm}'",
        minutes=minutes,
        alert=alert,
        expected="[]",
    )
    path = tmp_path / "test.yaml"
    path.write_text(test)
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True)
    assert (done.returncode != 0) is does_fire, done.stdout + done.stderr
