"""Whose credentials these are, by STS, which tells whoever has valid ones and needs no grant.

It may be out of reach where everything else is not, as in a subnet without its endpoint.
"""

from __future__ import annotations

from reaper.aws.service_errors import AWS_FAULTS, fault_of
from reaper.aws.session import PATIENCE, Access
from reaper.core.errors import Fault


class IdentityUnknown(Fault):
    """STS did not say."""


def caller(known: Access) -> str:
    """The ARN of the user or role. Raises IdentityUnknown."""
    client = known.session.client("sts", region_name=known.region, config=PATIENCE)
    try:
        return str(client.get_caller_identity()["Arn"])
    except AWS_FAULTS as error:
        permission = "sts:GetCallerIdentity"
        raise fault_of(error, permission, permission, IdentityUnknown) from None
