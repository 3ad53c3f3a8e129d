"""`reaper policy`: the least IAM policy for the settings as they are."""

from __future__ import annotations

import argparse
import json
from typing import Any

from reaper.aws.session import region_of
from reaper.commands.exit_codes import DONE
from reaper.commands.prepare import prepare
from reaper.config.policy import policy
from reaper.config.rules import region_in_use


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
    region = region_in_use(settings, region_of(session))
    print(json.dumps(policy(settings, region), indent=2))
    return DONE
