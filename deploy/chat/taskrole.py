"""The task role of deploy/ecs on a stand-in, and its credentials as ECS hands them to a task.

They are temporary: whoever uses them has to fetch new ones in time, as on ECS.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

from deploy.chat.standin import REGION, StandIn

ACCOUNT = "000000000000"
"""The stand-in's."""

AT_DEFAULTS = frozenset({"Deletes", "SendsHeartbeats", "CountsMessages"})
"""The template's conditions that hold at its defaults."""

TEMPLATE = Path(__file__).parents[1] / "ecs" / "template.yaml"
NOTHING = {"Ref": "AWS::NoValue"}

REFRESHED_BEFORE = timedelta(minutes=10)
"""botocore fetches new credentials when less than this is left of the old ones."""


def task_policy(
    table: str,
    api: str,
    stage: str,
    conditions: Collection[str],
    template: str = TEMPLATE.name,
    **references: str,
) -> dict[str, Any]:
    """The policy of a template's task role where these of its conditions hold."""
    loaded = cfn_yaml.load(str(TEMPLATE.with_name(template)))
    document = loaded["Resources"]["TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    values = references | {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "TableName": table,
        "ApiId": api,
        "StageName": stage,
        "MetricsNamespace": "ConnectionReaper",
    }

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            if "Fn::Sub" in node:
                text = str(node["Fn::Sub"])
                for name, value in values.items():
                    text = text.replace(f"${{{name}}}", value)
                return text
            if "Fn::GetAtt" in node:
                return values[".".join(node["Fn::GetAtt"])]
            if "Fn::If" in node:
                condition, if_so, if_not = node["Fn::If"]
                return fill(if_so if condition in conditions else if_not)
            if "Ref" in node and node != NOTHING:
                return values[node["Ref"]]
            return {str(key): fill(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled for one in node if (filled := fill(one)) != NOTHING]
        return str(node)

    filled: dict[str, Any] = fill(document)
    return filled


class TaskRole:
    """A role with one policy, and an endpoint that hands out its credentials; a context manager."""

    def __init__(
        self, standin: StandIn, policy: dict[str, Any], fresh_for: timedelta = timedelta(minutes=5)
    ) -> None:
        """After ``fresh_for`` a client has to fetch new credentials."""
        self.handed_out = 0
        """How often credentials were fetched."""
        self._sts = standin.session().client("sts", endpoint_url=standin.url)
        self._fresh_for = fresh_for
        name = f"task-{uuid.uuid4().hex[:8]}"
        iam = standin.session().client("iam", endpoint_url=standin.url)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        self._arn = role["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="reap", PolicyDocument=json.dumps(policy))
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to act in this role; it must have no credentials of its own."""
        url = f"http://127.0.0.1:{self._server.server_port}/credentials"
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}

    def __enter__(self) -> TaskRole:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _hand_out(self) -> dict[str, str]:
        self.handed_out += 1
        made = self._sts.assume_role(RoleArn=self._arn, RoleSessionName="reaper")["Credentials"]
        expires = datetime.now(UTC) + REFRESHED_BEFORE + self._fresh_for
        return {
            "AccessKeyId": made["AccessKeyId"],
            "SecretAccessKey": made["SecretAccessKey"],
            "Token": made["SessionToken"],
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hand_out = self._hand_out

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(hand_out()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nobody wants to know."""

        return Handler
