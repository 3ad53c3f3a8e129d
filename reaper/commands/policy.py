"""`reaper policy`: the least IAM policy for the settings as they are."""

from __future__ import annotations

import argparse
import json
from typing import Any

from reaper.aws.session import region_of
from reaper.commands.exit_codes import DONE
from reaper.commands.prepare import prepare
from reaper.config.policy import policy
from reaper.config.rules import configured_endpoint


def add_to(subparsers: Any) -> None:
    command = subparsers.add_parser(
        "policy",
        help="print the least IAM policy for the settings",
        description="Prints, as JSON, the one policy that a sweep with the settings as they are"
        " needs and no more. Asks nobody, so it needs no credentials: 'reaper policy >"
        " policy.json && aws iam put-role-policy --policy-document file://policy.json …'.",
    )
    command.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    settings, session = prepare()
    endpoint = configured_endpoint(settings, region_of(session))
    region = region_of(session) or (endpoint.region if endpoint else "")
    print(json.dumps(policy(settings, region), indent=2))
    return DONE
