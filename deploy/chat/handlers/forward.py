"""Carries a message that was sent in this Region to the event buses of the others.

At least once: where one of them cannot be reached, EventBridge has it tried again, and clients know
a message by its id.
"""

import json
import os

import boto3
from botocore.exceptions import BotoCoreError, ClientError

peers = {
    region: boto3.client("events", region_name=region)
    for region in os.environ["PEER_REGIONS"].split(",")
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
