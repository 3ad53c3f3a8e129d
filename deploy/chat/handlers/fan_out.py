"""Says something to everybody in a room who is connected to this Region's API."""

import os

import boto3
from boto3.dynamodb.conditions import Key

members = boto3.resource("dynamodb").Table(os.environ["MEMBERS_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_ENDPOINT"])


def tell_room(room, data):
    for connection_id in members_of(room):
        try:
            gateway.post_to_connection(ConnectionId=connection_id, Data=data)
        except gateway.exceptions.GoneException:
            print("a member of the room is gone")  # the reaper's business


def members_of(room):
    """Every connection id in the room, page by page."""
    page = {}
    while True:
        result = members.query(KeyConditionExpression=Key("room").eq(room), **page)
        yield from (item["connectionId"] for item in result["Items"])
        if "LastEvaluatedKey" not in result:
            return
        page = {"ExclusiveStartKey": result["LastEvaluatedKey"]}
