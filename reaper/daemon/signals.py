"""SIGTERM, SIGINT and SIGHUP, blocked before anything else and awaited in the main thread.

A handler would run in the middle of anything, and an Event set from one can deadlock.
"""

from __future__ import annotations

import signal

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def block_signals() -> None:
    """Call before any thread starts: threads inherit the mask."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def wait_for_signal(timeout_seconds: float) -> str | None:
    """The name of the signal that came within that time, or None."""
    received = signal.sigtimedwait(SIGNALS, timeout_seconds)
    # Stopped and continued after that time, CPython returns what happened to be in memory.
    if received is None or received.si_signo not in SIGNALS:
        return None
    return signal.Signals(received.si_signo).name


def is_stop(received: str | None) -> bool:
    """SIGHUP ends nothing: it says that files may have been moved."""
    return received not in (None, "SIGHUP")
