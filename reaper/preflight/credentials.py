"""Preflight of the credentials: whether AWS accepts who signs, before anything else is tried."""

from __future__ import annotations

from reaper.aws.identity import IdentityUnknown, caller
from reaper.aws.session import Access
from reaper.core.errors import Refused
from reaper.preflight.finding import Finding


def check_credentials(known: Access) -> Finding:
    """Only what STS says of them is a fault: that it cannot be reached is none."""
    try:
        return Finding(True, f"credentials are valid: {caller(known)}")
    except IdentityUnknown as error:
        if error.refused is Refused.CREDENTIALS:
            return Finding(False, str(error))
        return Finding(True, f"credentials are found; STS does not say whose they are: {error.why}")
