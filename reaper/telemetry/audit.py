"""The audit log: one JSON line per eviction, from which the row can be put back."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec


class AuditLog:
    """Appends lines to a file, or to stdout.

    It writes without a buffer: what could not be written must not turn up later, when the
    evictions that it announces were given up.
    """

    def __init__(self, destination: str) -> None:
        """Raises OSError when the file cannot be opened for appending."""
        if destination == "stdout":
            self._file_descriptor = sys.stdout.fileno()
        else:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file_descriptor = os.open(destination, flags, 0o600)
        status = os.fstat(self._file_descriptor)
        self._is_regular_file = stat.S_ISREG(status.st_mode)
        self._is_torn = (
            destination != "stdout"
            and self._is_regular_file
            and status.st_size > 0
            and os.pread(self._file_descriptor, 1, status.st_size - 1) != b"\n"
        )

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write one line per entry. When this returns they outlive the process.

        In a file they outlive the machine too. Raises OSError when not all could be written;
        the last line may then be torn, and the next one starts on a line of its own.
        """
        if not entries:
            return
        # Binary attributes become base64, as in DynamoDB's own JSON.
        lines = [msgspec.json.encode(entry) for entry in entries]
        data = memoryview(b"\n" * self._is_torn + b"\n".join(lines) + b"\n")
        self._is_torn = True
        sys.stdout.flush()
        while data:
            data = data[os.write(self._file_descriptor, data) :]
        if self._is_regular_file:
            os.fsync(self._file_descriptor)
        self._is_torn = False


def audit_log_fault(destination: str) -> str | None:
    """Why lines cannot be written to a file, without making one; None where they can."""
    path = Path(destination)
    if path.is_dir():
        return f"{path} is a directory: name a file"
    if not path.exists() and not path.absolute().parent.is_dir():
        return f"there is no directory {path.absolute().parent}"
    writable = path if path.exists() else path.absolute().parent
    return None if os.access(writable, os.W_OK) else f"{writable} cannot be written to"
