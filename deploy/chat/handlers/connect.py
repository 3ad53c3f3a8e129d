"""$connect: the connection gets its row."""

import os
import time

import boto3

connections = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS_TABLE"])


def handler(event, context):
    request = event["requestContext"]
    now = int(time.time() * 1000)
    connections.put_item(
        Item={
            "connectionId": request["connectionId"],
            "userId": request.get("authorizer", {}).get("user", ""),
            "connectedAt": now,
            "lastSeenAt": now,
            "messageCount": 0,
        }
    )
    return {"statusCode": 200}
