"""AWS's sentences, as AWS words them, and what each of them means."""

from __future__ import annotations

import pytest

from reaper.core.errors import Refused
from reaper.core.refusals import MAX_SENTENCE, explain_refusal, tidied

USER = "User: arn:aws:sts::123456789012:assumed-role/reaper/i-1 is not authorized to perform:"
ON = "dynamodb:Scan on resource: arn:aws:dynamodb:us-east-1:123456789012:table/t"
DENIED = f"{USER} {ON}"
ACCESS = "AccessDeniedException"


@pytest.mark.parametrize(
    ("code", "message", "refused", "why", "cure"),
    [
        (
            ACCESS,
            f"{DENIED} because no identity-based policy allows the dynamodb:Scan action",
            Refused.NOT_GRANTED,
            "is not granted",
            "allow dynamodb:Scan in the role's policy",
        ),
        (
            ACCESS,
            f"{DENIED} with an explicit deny in a service control policy",
            Refused.FORBIDDEN,
            "service control policy",
            "administers the Organization",
        ),
        (
            ACCESS,
            f"{DENIED} because no service control policy allows the dynamodb:Scan action",
            Refused.FORBIDDEN,
            "service control policy",
            "administers the Organization",
        ),
        (
            ACCESS,
            f"{DENIED} because no VPC endpoint policy allows the dynamodb:Scan action",
            Refused.FORBIDDEN,
            "VPC endpoint",
            "in the policy of the VPC endpoint",
        ),
        (
            ACCESS,
            f"{DENIED} because no permissions boundary allows the dynamodb:Scan action",
            Refused.FORBIDDEN,
            "permissions boundary",
            "to the permissions boundary",
        ),
        (
            ACCESS,
            f"{DENIED} because no session policy allows the dynamodb:Scan action",
            Refused.FORBIDDEN,
            "session policy",
            "to that session policy",
        ),
        (
            ACCESS,
            f"{DENIED} because no resource-based policy allows the dynamodb:Scan action",
            Refused.FORBIDDEN,
            "resource's own policy",
            "resource's own policy",
        ),
        (
            ACCESS,
            f"{DENIED} with an explicit deny in an identity-based policy",
            Refused.FORBIDDEN,
            "Deny statement",
            "no Allow outweighs it",
        ),
        (
            ACCESS,
            "KMS key arn:aws:kms:us-east-1:123456789012:key/1 is disabled.",
            Refused.FORBIDDEN,
            "KMS key",
            "enable the KMS key",
        ),
        (
            ACCESS,
            f"{USER} kms:Decrypt on resource: x because no identity-based policy allows the"
            " kms:Decrypt action",
            Refused.FORBIDDEN,
            "may not use the KMS key",
            "add kms:Decrypt on that key to the role's policy",
        ),
        (
            ACCESS,
            f"{DENIED} with an explicit deny in a VPC endpoint policy",
            Refused.FORBIDDEN,
            "VPC endpoint",
            "a Deny in it, take that out",
        ),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Refused.CREDENTIALS,
            "credentials are expired",
            "renew them",
        ),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Refused.CREDENTIALS,
            "does not know these credentials",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "InvalidSignatureException",
            "Signature expired: 20261127T100000Z is now earlier than 20261127T101000Z",
            Refused.CREDENTIALS,
            "clock is wrong",
            "it is 900 s behind AWS's",
        ),
        (
            "InvalidSignatureException",
            "Credential should be scoped to a valid region.",
            Refused.CREDENTIALS,
            "signed for another Region",
            "AWS_REGION",
        ),
        (
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
            Refused.CREDENTIALS,
            "not what AWS calculates",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
            Refused.CREDENTIALS,
            "without a signature",
            "proxy",
        ),
        (
            "",
            "cannot sign: Error when retrieving credentials from container-role: no answer",
            Refused.CREDENTIALS,
            "no valid credentials",
            "the role of the task",
        ),
    ],
)
def test_what_a_refusal_means_and_cures(code, message, refused, why, cure):
    refusal = explain_refusal(code, message, "dynamodb:Scan", skew_seconds=-900)
    assert refusal is not None
    assert refusal.refused is refused
    assert why in refusal.why
    assert cure in refusal.cure
    assert message.split(":")[0] in refusal.why  # AWS's own words


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ForbiddenException", "Forbidden"),
        ("ThrottlingException", "Rate exceeded"),
        ("ResourceNotFoundException", "Requested resource not found"),
        ("", "no answer within 5 s: waited for the first byte"),
    ],
)
def test_what_is_no_refusal_of_a_right(code, message):
    assert explain_refusal(code, message, "dynamodb:Scan") is None


def test_a_small_difference_of_clocks_is_not_what_is_blamed():
    refusal = explain_refusal("InvalidSignatureException", "Signature expired: …", "x", 3.0)
    assert refusal is not None
    assert "3 s" not in refusal.cure


def test_what_only_machines_read_is_not_told():
    """The canonical string holds the session token, the resource a connection id."""
    message = (
        "The request signature we calculated does not match.\n\nThe Canonical String for this"
        " request should have been\n'GET\n/x\n\nx-amz-security-token:SECRET'"
    )
    assert tidied(message) == "The request signature we calculated does not match."
    told = tidied("on resource: arn:x/prod/GET/@connections/R0oXAdfD0kwCH6w= because no policy")
    assert told == "on resource: arn:x/prod/GET/@connections/* because no policy"
    assert len(tidied("x" * 9999)) <= MAX_SENTENCE + 2
