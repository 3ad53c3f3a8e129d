"""The audit log: one JSON line per eviction, from which the row can be put back."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from reaper.core.errors import AuditError

STDOUT = 1
"""Itself, and not what Python has in its place where it was closed."""

_OTHER_CURE = "name a file that can be written to in REAPER_AUDIT_LOG"
_CURES = {
    errno.ENOSPC: "make room on its disk, and keep the log itself, which `reaper restore` needs",
    errno.EDQUOT: "make room within the quota of its disk",
    errno.EBADF: "do not close stdout, or name a file in REAPER_AUDIT_LOG",
    errno.EPIPE: "restart the reaper: whoever read its output has ended",
    errno.ENXIO: "let something read that pipe, or name a file in REAPER_AUDIT_LOG",
    errno.EROFS: "mount its file system for writing",
    errno.EACCES: "let the reaper's user write to it",
}


class AuditLog:
    """Appends lines to a file, or to stdout.

    It writes without a buffer: what could not be written must not turn up later, when the
    evictions that it announces were given up. A file that was moved or removed, as logrotate does,
    is opened anew before the next line.
    """

    def __init__(self, destination: str) -> None:
        """Raises OSError when the file cannot be opened for appending."""
        self._path = None if destination == "stdout" else Path(destination)
        self._open()

    def _open(self) -> None:
        if self._path is None:
            self._file_descriptor = STDOUT
        else:
            self._file_descriptor = os.open(self._path, _flags(self._path), 0o600)
            os.set_blocking(self._file_descriptor, True)
        status = os.fstat(self._file_descriptor)
        self._is_regular_file = stat.S_ISREG(status.st_mode)
        self._is_torn = (
            self._path is not None
            and self._is_regular_file
            and status.st_size > 0
            and os.pread(self._file_descriptor, 1, status.st_size - 1) != b"\n"
        )

    def reopen_if_moved(self) -> None:
        """See to it that lines go to where the path leads now. Raises OSError."""
        if self._path is None or not self._is_regular_file:
            return
        opened = os.fstat(self._file_descriptor)
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            before = self._file_descriptor
            self._open()
            os.close(before)

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write one line per entry. When this returns they outlive the process.

        In a file they outlive the machine too. Raises AuditError when not all could be written;
        the last line may then be torn, and the next one starts on a line of its own.
        """
        if not entries:
            return
        try:
            self._write(entries)
        except OSError as error:
            raise self._explained(error) from None

    def _explained(self, error: OSError) -> AuditError:
        where = "stdout" if self._path is None else str(self._path)
        return AuditError(
            f"the audit log {where} cannot be written to: {error.strerror}, and no row goes without"
            " its line",
            _CURES.get(error.errno or 0, _OTHER_CURE),
        )

    def _write(self, entries: Sequence[dict[str, Any]]) -> None:
        self.reopen_if_moved()
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


def _flags(path: Path) -> int:
    """Not through a link that somebody may have put there; those of /dev are the system's own."""
    if path.is_fifo():
        return os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC  # an error where nobody reads it
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return flags if path.parent == Path("/dev") else flags | os.O_NOFOLLOW


def audit_log_fault(destination: str) -> str | None:
    """Why lines cannot be written to a file, without making one; None where they can."""
    path = Path(destination)
    if path.is_symlink() and path.parent != Path("/dev"):
        return f"{path} is a symbolic link, and is not followed: name the file itself"
    if path.is_dir():
        return f"{path} is a directory: name a file"
    if not path.exists() and not path.absolute().parent.is_dir():
        return f"there is no directory {path.absolute().parent}"
    writable = path if path.exists() else path.absolute().parent
    return None if os.access(writable, os.W_OK) else f"{writable} cannot be written to"
