"""Standard streams that whoever started the program has closed (``reaper run >&-``)."""

from __future__ import annotations

import os
import sys

STDIN, STDOUT, STDERR = 0, 1, 2


def open_closed_streams() -> None:
    """Call before anything is opened: the next file or socket would take their numbers.

    What is said on them then goes nowhere. But stdout itself stays unwritable, so that an audit
    log that is to go there fails, and no row goes without its line.
    """
    for number in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number == STDERR else os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    if sys.stderr is None:
        sys.stderr = os.fdopen(STDERR, "w")
