"""What AWS means when it refuses, and what to do about it. Its own words are always handed on.

AWS explains a refusal by a code and a sentence, and its services word the same thing alike. Advice
for the wrong cause costs a night: a statement in the role's policy lifts no service control policy,
and revives no credentials.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reaper.core.errors import Refused

MAX_SENTENCE = 400
"""Characters of AWS's own words that are shown: what follows are encoded details."""

SKEW_SECONDS = 60.0
"""A clock that is off by less is not what made a signature expire: AWS allows five minutes."""


class Refusal(NamedTuple):
    """Why AWS said no."""

    refused: Refused
    why: str
    """What follows on the name of what was refused: ``is not granted to these credentials``."""
    cure: str


class _Rule(NamedTuple):
    words: str
    """A regular expression, searched for in code and sentence together."""
    refused: Refused
    why: str
    cure: str
    """``{permission}`` is the action that was refused."""


_RULES = (
    _Rule(
        r"service control policy",
        Refused.FORBIDDEN,
        "is forbidden by a service control policy of the AWS Organization",
        "whoever administers the Organization has to except this role; nothing in the role's own"
        " policy lifts it",
    ),
    _Rule(
        r"resource control policy",
        Refused.FORBIDDEN,
        "is forbidden by a resource control policy of the AWS Organization",
        "whoever administers the Organization has to except this role; nothing in the role's own"
        " policy lifts it",
    ),
    _Rule(
        r"VPC endpoint policy",
        Refused.FORBIDDEN,
        "is not allowed through the VPC endpoint",
        "allow {permission} in the policy of the VPC endpoint, which is not the role's; if there is"
        " a Deny in it, take that out, since no Allow outweighs it",
    ),
    _Rule(
        r"permissions boundary",
        Refused.FORBIDDEN,
        "is outside the role's permissions boundary",
        "add {permission} to the permissions boundary (or take a Deny out of it); the role's policy"
        " alone does not do",
    ),
    _Rule(
        r"session policy",
        Refused.FORBIDDEN,
        "is not allowed by the session policy with which the role was assumed",
        "add {permission} to that session policy, or take a Deny out of it",
    ),
    _Rule(
        r"no resource-based policy allows",
        Refused.FORBIDDEN,
        "is not allowed by the resource's own policy",
        "allow {permission} to this role in the resource's own policy: it is in another account",
    ),
    _Rule(
        r"explicit deny",
        Refused.FORBIDDEN,
        "is denied by a Deny statement",
        "find the Deny statement in the policy that AWS names and except this role: no Allow"
        " outweighs it",
    ),
    _Rule(
        r"kms:.*no identity-based policy allows",
        Refused.FORBIDDEN,
        "is not possible: the role may not use the KMS key that encrypts it",
        "add kms:Decrypt on that key to the role's policy",
    ),
    _Rule(
        r"KMS key|kms:|KMS\w*Exception|InaccessibleEncryption",
        Refused.FORBIDDEN,
        "is not possible: the KMS key that encrypts it cannot be used",
        "enable the KMS key, or cancel its deletion, and see that its key policy lets the role"
        " kms:Decrypt",
    ),
    _Rule(
        r"ExpiredToken|token (included in the request )?(is|has) expired",
        Refused.CREDENTIALS,
        "failed: the credentials are expired",
        "renew them: new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or"
        " `aws sso login`; where a role of the task or instance gives them, see by the log line"
        " 'credentials not refreshed' why it does not",
    ),
    _Rule(
        r"Signature (expired|not yet current)|RequestTimeTooSkewed|RequestExpired",
        Refused.CREDENTIALS,
        "failed: this host's clock is wrong",
        "set the clock ({skew}`timedatectl`, `chronyc tracking`)",
    ),
    _Rule(
        r"Credential should be scoped to",
        Refused.CREDENTIALS,
        "failed: it was signed for another Region",
        "correct AWS_REGION, or the endpoint's Region",
    ),
    _Rule(
        r"UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|token included in the request"
        r" is invalid",
        Refused.CREDENTIALS,
        "failed: AWS does not know these credentials",
        "correct AWS_ACCESS_KEY_ID or AWS_PROFILE: the key is deleted or deactivated, of another"
        " partition, or its AWS_SESSION_TOKEN is missing",
    ),
    _Rule(
        r"SignatureDoesNotMatch|InvalidSignature|signature we calculated",
        Refused.CREDENTIALS,
        "failed: the signature is not what AWS calculates",
        "correct AWS_SECRET_ACCESS_KEY, which does not belong to this AWS_ACCESS_KEY_ID; or a proxy"
        " changes requests on their way",
    ),
    _Rule(
        r"^ cannot sign|Error when retrieving credentials|Unable to locate credentials",
        Refused.CREDENTIALS,
        "failed: there are no valid credentials",
        "see why their source does not give any: the role of the task or instance, AWS_PROFILE,"
        " or the endpoint that hands them out",
    ),
    _Rule(
        r"MissingAuthenticationToken",
        Refused.CREDENTIALS,
        "failed: it came without a signature",
        "correct the stage and path in REAPER_API_ENDPOINT; if they are right, something on the way"
        " takes the signature off (a proxy?)",
    ),
    _Rule(
        r"AccessDenied|UnauthorizedOperation|NotAuthorized|not authorized to perform",
        Refused.NOT_GRANTED,
        "is not granted to these credentials",
        "allow {permission} in the role's policy, on the resource that AWS names (`reaper policy`"
        " prints all of it)",
    ),
)


def explain_refusal(
    code: str, message: str, permission: str, skew_seconds: float | None = None
) -> Refusal | None:
    """What a refusal by this error code and message means; None where AWS refused no right.

    ``skew_seconds`` is by how much this host's clock is ahead of AWS's, where that is known.
    """
    said = f"{code} {message}"
    for rule in _RULES:
        if re.search(rule.words, said, re.IGNORECASE):
            cure = rule.cure.format(permission=permission, skew=_skew(skew_seconds))
            return Refusal(rule.refused, rule.why + _quoted(code, message), cure)
    return None


def tidied(message: str) -> str:
    """AWS's own sentence: on one line, without connection ids and what only a machine can read."""
    sentence = re.split(r"\s*(?:The Canonical String|Encoded authorization failure)", message)[0]
    sentence = re.sub(r"@connections/\S+", "@connections/*", sentence)
    sentence = " ".join(sentence.split())
    return sentence if len(sentence) <= MAX_SENTENCE else f"{sentence[:MAX_SENTENCE]} …"


def _quoted(code: str, message: str) -> str:
    sentence = tidied(message)
    if not code:
        return f" ({sentence})"
    return f' (AWS says "{": ".join(filter(None, (code, sentence)))}")'


def _skew(seconds: float | None) -> str:
    if seconds is None or abs(seconds) < SKEW_SECONDS:
        return ""
    side = "ahead of" if seconds > 0 else "behind"
    return f"it is {abs(seconds):,.0f} s {side} AWS's; "
