"""Tells a message that was sent in another Region to everybody in its room here."""

import json

from fan_out import tell_room


def handler(event, context):
    detail = event["detail"]
    tell_room(detail["room"], json.dumps(detail["said"]).encode())
