"""Dashboards and alarms show metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cfnlint.decode import cfn_yaml

from reaper.telemetry.health import Health
from reaper.telemetry.sinks.metrics import UNITS
from reaper.telemetry.sinks.prometheus import Build, PrometheusSink
from tests.support.reports import a_report, a_sweep

DEPLOY = Path(__file__).parents[2] / "deploy"
GRAFANA = (DEPLOY / "grafana" / "reaper.json").read_text()


def test_the_grafana_dashboard_asks_for_what_prometheus_is_given():
    health = Health(300)
    health.nothing_to_do()
    sink = PrometheusSink(10_000, Build("1", "eu-west-1", "t"), health)
    sink.publish(a_sweep(a_report(messages=1, heartbeat_message_ratio=1.0)))
    given = set(re.findall(r"^(reaper_\w+)", sink.exposition().decode(), re.MULTILINE))
    panels = json.loads(GRAFANA)["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"reaper_\w+", target["expr"])
    }
    parts = {"reaper_probe_latency_seconds_sum", "reaper_probe_latency_seconds_count"}
    families = {name for name in given if not name.endswith("_created")} - parts
    assert asked <= given
    assert families <= asked


def metrics_of(template: str) -> set[str]:
    resources = cfn_yaml.load(str(DEPLOY / template))["Resources"]
    alarms = [
        one
        for one in resources.values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
        and one["Properties"].get("Namespace") != "AWS/SQS"
    ]
    assert alarms
    return set(re.findall(r"'MetricName': '(\w+)'", str(alarms)))


def test_alarms_are_about_metrics_that_there_are():
    for template in ("cloudwatch/template.yaml", "ecs/template.yaml"):
        assert metrics_of(template) <= UNITS.keys()


def test_the_cloudwatch_dashboard_shows_every_metric_but_the_ratio_that_it_computes():
    resources = cfn_yaml.load(str(DEPLOY / "cloudwatch" / "template.yaml"))["Resources"]
    body = json.loads(str(resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]))
    shown = {
        metric[1]
        for widget in body["widgets"]
        for metric in widget["properties"]["metrics"]
        if isinstance(metric[0], str)
    }
    assert shown == UNITS.keys() - {"HeartbeatMessageRatio"}
