"""Deploys the chat: to AWS, or to a stand-in when AWS_ENDPOINT_URL names one.

python -m deploy.chat.deploy STACK BUCKET [--peers REGION,...]

TOKEN_SECRET signs the tokens of clients, and is to be the same in all Regions; without it a new one
is made.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import secrets
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.exceptions import ClientError, WaiterError

HERE = Path(__file__).parent


class Chat(NamedTuple):
    """A chat that is deployed."""

    api_id: str
    stage: str
    connections_table: str
    members_table: str
    messages_table: str
    client_url: str
    disconnect_function: str
    token_secret: str


def deploy(
    session: boto3.Session,
    stack: str,
    bucket: str,
    *,
    token_secret: str,
    peer_regions: Sequence[str] = (),
    management_endpoint_base: str = "",
) -> Chat:
    """Create the stack in the session's Region and wait for it.

    Where there are ``peer_regions``, each with a stack of the same name, messages go there too.
    Raises WaiterError or ClientError if that fails.
    """
    cloudformation = session.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=(HERE / "template.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {
                "CodeBucket": bucket,
                "CodeKey": _upload_handlers(session, bucket),
                "TokenSecret": token_secret,
                "PeerRegions": ",".join(peer_regions),
                "ManagementEndpointBase": management_endpoint_base,
            }.items()
        ],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 2, "MaxAttempts": 150}
    )
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    }
    return Chat(
        outputs["ApiId"],
        outputs["StageName"],
        outputs["ConnectionsTable"],
        outputs["MembersTable"],
        outputs["MessagesTable"],
        outputs["ClientUrl"],
        outputs["DisconnectFunction"],
        token_secret,
    )


def _upload_handlers(session: boto3.Session, bucket: str) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for source in sorted((HERE / "handlers").glob("*.py")):
            zipped.writestr(zipfile.ZipInfo(source.name), source.read_bytes())
    key = f"chat-{hashlib.sha256(archive.getvalue()).hexdigest()[:16]}.zip"
    session.client("s3").put_object(Bucket=bucket, Key=key, Body=archive.getvalue())
    return key


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", help="name of the CloudFormation stack to create")
    parser.add_argument("bucket", help="existing S3 bucket for the handlers' code, in the Region")
    parser.add_argument(
        "--peers",
        metavar="REGION,...",
        default="",
        help="Regions to exchange messages with: deploy a stack of the same name in each",
    )
    arguments = parser.parse_args()
    try:
        chat = deploy(
            boto3.Session(),
            arguments.stack,
            arguments.bucket,
            token_secret=os.environ.get("TOKEN_SECRET") or secrets.token_urlsafe(24),
            peer_regions=[name for name in arguments.peers.split(",") if name],
        )
    except (ClientError, WaiterError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    for name, value in chat._asdict().items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
