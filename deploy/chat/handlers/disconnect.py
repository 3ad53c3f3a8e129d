"""$disconnect: the user leaves the room, and the row goes.

API Gateway calls this as a best effort only; for whom it did not, the reaper does, with the same
event. So it may be called twice, and what is done already must do no harm.
"""

import os

import boto3

dynamodb = boto3.resource("dynamodb")
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
members = dynamodb.Table(os.environ["MEMBERS_TABLE"])


def handler(event, context):
    key = {"connectionId": event["requestContext"]["connectionId"]}
    row = connections.get_item(Key=key).get("Item")
    if row:
        members.delete_item(Key={"room": row["room"], **key})
    connections.delete_item(Key=key)
    return {"statusCode": 200}
