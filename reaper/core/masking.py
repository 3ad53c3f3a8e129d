"""Passwords in URLs, which nobody is to read in a log."""

from __future__ import annotations

import re

_USER_AND_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


def masked(text: str) -> str:
    """The same with ``***`` for the user and the password of every URL in it."""
    return _USER_AND_PASSWORD.sub("***@", text) if "://" in text else text
