"""Carries a message that was sent in this Region to the event buses of the others.

Where one of them cannot be reached, Lambda has it tried twice more, so a message may come twice:
clients know it by its id.
"""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

quickly = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
peers = {
    region: boto3.client("events", region_name=region, config=quickly)
    for region in os.environ["PEER_REGIONS"].split(",")
    if region != os.environ["AWS_REGION"]  # what comes back to its own bus goes round for ever
}


def handler(event, context):
    entry = {
        "EventBusName": os.environ["EVENT_BUS"],
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
    }
    failed = [region for region, peer in peers.items() if not reaches(peer, entry)]
    if failed:
        raise RuntimeError(f"not reached: {', '.join(failed)}")


def reaches(peer, entry):
    """No Region keeps a message from the others."""
    try:
        return not peer.put_events(Entries=[entry])["FailedEntryCount"]
    except (BotoCoreError, ClientError) as error:
        print(f"a peer cannot be reached: {error}")
        return False
