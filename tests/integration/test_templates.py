"""The templates in deploy/ can be deployed, to a stand-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"


ECS = {
    "Cluster": "default",
    "Subnets": "subnet-1",
    "SecurityGroups": "sg-1",
    "Image": "reaper:1",
    "TableName": "connections",
    "ApiId": "abc123",
    "StageName": "prod",
}
"""What the ECS template has no defaults for."""


def deploy(cloud, name: str, template: str, **parameters: str) -> None:
    """Raises AssertionError with the reason of whatever could not be made."""
    formation = cloud.session.client("cloudformation", endpoint_url=cloud.standin.url)
    formation.create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    )

    def status() -> str:
        return formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    eventually(lambda: not status().endswith("IN_PROGRESS"))
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [
        event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]
    ]
    assert status() == "CREATE_COMPLETE", failed


def environment_of(cloud, stack: str) -> dict[str, str]:
    """Of the task's one container."""
    ecs = cloud.session.client("ecs", endpoint_url=cloud.standin.url)
    definition = ecs.describe_task_definition(taskDefinition=stack)["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    return {one["name"]: one["value"] for one in container["environment"]}


def test_the_ecs_service_can_be_deployed_and_starts_in_dry_run(cloud):
    template = (DEPLOY / "ecs" / "template.yaml").read_text()
    deploy(
        cloud,
        "ecs-reaper",
        template,
        **ECS,
    )
    environment = environment_of(cloud, "ecs-reaper")
    assert environment["REAPER_DRY_RUN"] == "true"
    assert environment["REAPER_TABLE_NAME"] == "connections"


def test_the_ecs_service_can_be_deployed_with_many_workers(cloud):
    """But for what scales it, which ministack does not know; and it makes no number of a text."""
    template = (DEPLOY / "ecs" / "template.yaml").read_text()
    unscaled = re.sub(r"  ScalableTarget:\n.*?(?=  GivenUpAlarm:)", "", template, flags=re.DOTALL)
    in_numbers = unscaled.replace("!If [SharesSweeps, !Ref Workers, 1]", "3")
    assert in_numbers != unscaled
    deploy(
        cloud,
        "ecs-together",
        in_numbers,
        **ECS,
        SharedSweeps="true",
    )
    environment = environment_of(cloud, "ecs-together")
    sqs = cloud.session.client("sqs", endpoint_url=cloud.standin.url)
    asked = sqs.get_queue_attributes(
        QueueUrl=environment["REAPER_QUEUE_URL"], AttributeNames=["All"]
    )
    attributes = asked["Attributes"]
    assert (attributes["FifoQueue"], attributes["VisibilityTimeout"]) == ("true", "60")
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (10, "10")
    assert environment["REAPER_SCAN_SEGMENTS"] == "16"


def test_the_dashboard_can_be_deployed(cloud):
    """But for the alarms by metric math, which ministack does not know."""
    template = (DEPLOY / "cloudwatch" / "template.yaml").read_text()
    without_math = re.sub(r"  RatioAlarm:\n.*?(?=  NoSweepAlarm:)", "", template, flags=re.DOTALL)
    deploy(cloud, "dashboard", without_math, TableName="connections")
    cloudwatch = cloud.session.client("cloudwatch", endpoint_url=cloud.standin.url)
    body = cloudwatch.get_dashboard(DashboardName="reaper-connections")["DashboardBody"]
    assert "${" not in body
    assert ["ConnectionReaper", "SweepSeconds", "TableName", "connections"] in [
        metric[:4]
        for widget in json.loads(body)["widgets"]
        for metric in widget["properties"]["metrics"]
    ]
