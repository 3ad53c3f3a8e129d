"""sendMessage: stores a message and fans it out to everybody who is connected."""

import json
import os
import uuid
from datetime import datetime, timezone

import boto3
from seen import note_client

ROOM = "lobby"

dynamodb = boto3.resource("dynamodb")
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
messages = dynamodb.Table(os.environ["MESSAGES_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_ENDPOINT"])


def handler(event, context):
    sender = event["requestContext"]["connectionId"]
    text = str(json.loads(event["body"]).get("text", ""))[:2000]
    sent_at = datetime.now(timezone.utc).isoformat()
    messages.put_item(
        Item={"room": ROOM, "sentAt": f"{sent_at}#{uuid.uuid4()}", "from": sender, "text": text}
    )
    note_client(connections, sender, messages=1)
    data = json.dumps({"type": "message", "from": sender, "text": text}).encode()
    for connection_id in connected():
        try:
            gateway.post_to_connection(ConnectionId=connection_id, Data=data)
        except gateway.exceptions.GoneException:
            connections.delete_item(Key={"connectionId": connection_id})
    return {"statusCode": 200}


def connected():
    """Every connection id in the table, page by page."""
    page = {}
    while True:
        result = connections.scan(ProjectionExpression="connectionId", **page)
        yield from (item["connectionId"] for item in result["Items"])
        if "LastEvaluatedKey" not in result:
            return
        page = {"ExclusiveStartKey": result["LastEvaluatedKey"]}
