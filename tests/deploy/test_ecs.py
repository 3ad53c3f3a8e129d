"""The ECS templates know every setting."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from deploy.chat.taskrole import TEMPLATE
from reaper.config.settings import variables


def container(template: str) -> dict[str, Any]:
    resources = cfn_yaml.load(str(TEMPLATE.with_name(template)))["Resources"]
    return resources["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]


def names_of(template: str) -> list[str]:
    return [str(one["Name"]) for one in container(template)["Environment"]]


def test_every_variable_can_be_set():
    assert sorted(names_of("template.yaml")) == sorted(variables())


@pytest.mark.parametrize("template", ["template.yaml", "scheduled.yaml"])
def test_no_audit_line_is_dropped_on_its_way_to_the_log(template):
    assert container(template)["LogConfiguration"]["Options"]["mode"] == "blocking"


def test_two_never_write_at_once_and_what_never_gets_well_is_rolled_back():
    resources = cfn_yaml.load(str(TEMPLATE))["Resources"]
    deployment = resources["Service"]["Properties"]["DeploymentConfiguration"]
    assert deployment["MaximumPercent"] == 100
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert container("template.yaml")["HealthCheck"]["Command"] == ["CMD", "reaper", "health"]
