"""Tells systemd that the service is ready, alive and stopping (sd_notify(3))."""

from __future__ import annotations

import os
import socket

import structlog

log = structlog.get_logger()


def notify(state: str) -> None:
    """Send one state, such as ``READY=1``, to NOTIFY_SOCKET; without one nobody wants to know."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect(address)
            connection.sendall(state.encode())
    except OSError as error:
        log.warning("systemd not notified", state=state, why=str(error))


def watchdog_seconds() -> float | None:
    """How often the watchdog wants to hear of us: twice within its patience. None without one."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 / 2 if microseconds.isdigit() else None
