"""Passwords in URLs, which nobody is to read in a log."""

from __future__ import annotations

import re

_USER_AND_PASSWORD = re.compile(
    r"""(?<=://)
    (?: [^/\s]+                       # as it should be written, or with an @ in the password
    |   [^/\s:@]+:                    # or with a space or a slash in it: after the user,
        (?!\d*(?:[\s/,;:.]|$))        # neither a port nor the end of what a sentence says,
        [^"'\n]{1,200}                # up to the last @
    )@""",
    re.VERBOSE,
)


def masked(text: str) -> str:
    """The same with ``***`` for the user and the password of every URL in it."""
    return _USER_AND_PASSWORD.sub("***@", text) if "://" in text else text
