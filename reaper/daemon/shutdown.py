"""How a process with a running sweep ends: within the 10 s that SIGTERM allows, whatever hangs."""

from __future__ import annotations

import os
import threading
import time
from typing import NoReturn

import structlog

log = structlog.get_logger()

STOP_SECONDS = 7.5
"""How long a running sweep gets after a signal; with what is then flushed, within the 10 s."""

FLUSH_SECONDS = 2.0


LATEST_SECONDS = 9.5
"""By then the process has ended, whatever hangs, and be it the pipe that the log goes to."""


def end_in_time() -> None:
    """Call when a signal has come, before anything else: a line of the log may never be taken."""
    threading.Thread(target=_end_late, name="end-in-time", daemon=True).start()


def _end_late() -> NoReturn:
    time.sleep(LATEST_SECONDS)
    os._exit(0)


def abandon_sweep() -> NoReturn:
    """Exit although the sweep has not ended. Nothing is lost: the next starts from the table."""
    log.warning("sweep abandoned", why="it did not end in time; the next starts from the table")
    os._exit(0)
