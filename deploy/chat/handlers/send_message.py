"""sendMessage: stores a message and tells it to all in the room, here and in other Regions."""

import json
import os
import uuid
from datetime import datetime, timezone

import boto3
from fan_out import tell_room
from seen import note_client

dynamodb = boto3.resource("dynamodb")
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
messages = dynamodb.Table(os.environ["MESSAGES_TABLE"])
bus = os.environ["EVENT_BUS"]
events = boto3.client("events")


def handler(event, context):
    sender = event["requestContext"]["connectionId"]
    row = connections.get_item(Key={"connectionId": sender}).get("Item")
    if not row:
        return {"statusCode": 410}
    text = str(json.loads(event["body"]).get("text", ""))[:2000]
    sent_at = datetime.now(timezone.utc).isoformat()
    message_id = str(uuid.uuid4())
    messages.put_item(
        Item={
            "room": row["room"],
            "sentAt": f"{sent_at}#{message_id}",
            "from": sender,
            "text": text,
        }
    )
    note_client(connections, sender, messages=1)
    said = {"type": "message", "id": message_id, "from": sender, "text": text}
    if bus:
        tell_other_regions(row["room"], said)
    tell_room(row["room"], json.dumps(said).encode())
    return {"statusCode": 200}


def tell_other_regions(room, said):
    """By this Region's event bus, from which the forwarder takes it."""
    detail = {"region": os.environ["AWS_REGION"], "room": room, "said": said}
    entry = {
        "EventBusName": bus,
        "Source": "chat",
        "DetailType": "message",
        "Detail": json.dumps(detail),
    }
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        print("other Regions do not hear of a message:", answer["Entries"][0]["ErrorCode"])
