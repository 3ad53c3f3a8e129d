"""pong: a client's answer to a heartbeat, which is a sign of life but no message."""

import os

import boto3
from seen import note_client

connections = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS_TABLE"])


def handler(event, context):
    note_client(connections, event["requestContext"]["connectionId"], messages=0)
    return {"statusCode": 200}
