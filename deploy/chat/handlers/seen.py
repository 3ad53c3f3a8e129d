"""A client was heard of: its row says so, if there still is one."""

import time


def note_client(connections, connection_id, messages):
    try:
        connections.update_item(
            Key={"connectionId": connection_id},
            UpdateExpression="SET lastSeenAt = :now ADD messageCount :messages",
            ConditionExpression="attribute_exists(connectionId)",
            ExpressionAttributeValues={":now": int(time.time() * 1000), ":messages": messages},
        )
    except connections.meta.client.exceptions.ConditionalCheckFailedException:
        print("a client without a row was heard of")
