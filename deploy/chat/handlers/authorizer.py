"""Admits who shows a token that we signed: ``{user}.{expiry}.{signature}``."""

import hashlib
import hmac
import os
import time


def handler(event, context):
    token = (event.get("queryStringParameters") or {}).get("token", "")
    user = user_of(token, os.environ["TOKEN_SECRET"], time.time())
    return {
        "principalId": user or "nobody",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if user else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {"user": user or ""},
    }


def sign_token(user, secret, expires_at):
    claim = f"{user}.{int(expires_at)}"
    signature = hmac.new(secret.encode(), claim.encode(), hashlib.sha256).hexdigest()
    return f"{claim}.{signature}"


def user_of(token, secret, now):
    """The user whom a valid token names, or None."""
    user, _, rest = token.partition(".")
    expiry, _, _ = rest.partition(".")
    if not user or not expiry.isdigit() or int(expiry) < now:
        return None
    return user if hmac.compare_digest(sign_token(user, secret, int(expiry)), token) else None
