"""What the exit codes of the program mean."""

from __future__ import annotations

import sys

from reaper.core.masking import masked

DONE, FAILED, BAD_SETTINGS, HELD = 0, 1, 2, 3
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended; `run` and `sweep` end by themselves."""


def fail(why: str) -> int:
    """One line on stderr, and the exit code that goes with it."""
    print(masked(f"reaper: {why}"), file=sys.stderr)
    return FAILED
