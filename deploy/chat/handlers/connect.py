"""$connect: the connection gets its row, and its user a place in a room."""

import os
import time

import boto3

dynamodb = boto3.resource("dynamodb")
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
members = dynamodb.Table(os.environ["MEMBERS_TABLE"])


def handler(event, context):
    request = event["requestContext"]
    room = (event.get("queryStringParameters") or {}).get("room", "lobby")
    user = request.get("authorizer", {}).get("user", "")
    now = int(time.time() * 1000)
    connections.put_item(
        Item={
            "connectionId": request["connectionId"],
            "userId": user,
            "room": room,
            # Of use where the table is a global one: whose connection this is.
            "endpoint": os.environ["MANAGEMENT_ENDPOINT"],
            "connectedAt": now,
            "lastSeenAt": now,
            "messageCount": 0,
        }
    )
    members.put_item(Item={"room": room, "connectionId": request["connectionId"], "userId": user})
    return {"statusCode": 200}
