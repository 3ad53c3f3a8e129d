"""sendMessage: stores a message and fans it out to everybody in the room."""

import json
import os
import uuid
from datetime import datetime, timezone

import boto3
from boto3.dynamodb.conditions import Key
from seen import note_client

dynamodb = boto3.resource("dynamodb")
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
members = dynamodb.Table(os.environ["MEMBERS_TABLE"])
messages = dynamodb.Table(os.environ["MESSAGES_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_ENDPOINT"])


def handler(event, context):
    sender = event["requestContext"]["connectionId"]
    row = connections.get_item(Key={"connectionId": sender}).get("Item")
    if not row:
        return {"statusCode": 410}
    text = str(json.loads(event["body"]).get("text", ""))[:2000]
    sent_at = datetime.now(timezone.utc).isoformat()
    messages.put_item(
        Item={
            "room": row["room"],
            "sentAt": f"{sent_at}#{uuid.uuid4()}",
            "from": sender,
            "text": text,
        }
    )
    note_client(connections, sender, messages=1)
    data = json.dumps({"type": "message", "from": sender, "text": text}).encode()
    for connection_id in members_of(row["room"]):
        try:
            gateway.post_to_connection(ConnectionId=connection_id, Data=data)
        except gateway.exceptions.GoneException:
            print("a member of the room is gone")  # the reaper's business
    return {"statusCode": 200}


def members_of(room):
    """Every connection id in the room, page by page."""
    page = {}
    while True:
        result = members.query(KeyConditionExpression=Key("room").eq(room), **page)
        yield from (item["connectionId"] for item in result["Items"])
        if "LastEvaluatedKey" not in result:
            return
        page = {"ExclusiveStartKey": result["LastEvaluatedKey"]}
