"""SIGTERM and SIGINT, blocked before anything else happens and awaited in the main thread.

A handler would run in the middle of anything, and an Event set from one can deadlock.
"""

from __future__ import annotations

import signal

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def block_stop_signals() -> None:
    """Call before any thread starts: threads inherit the mask."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def wait_for_stop_signal(timeout_seconds: float) -> str | None:
    """The name of the signal that came within that time, or None."""
    received = signal.sigtimedwait(STOP_SIGNALS, timeout_seconds)
    # Stopped and continued after that time, CPython returns what happened to be in memory.
    if received is None or received.si_signo not in STOP_SIGNALS:
        return None
    return signal.Signals(received.si_signo).name
