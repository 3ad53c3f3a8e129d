"""The audit log: one JSON line per eviction, from which the row can be put back."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO


class AuditLog:
    """Appends lines to a file, or to stdout. Raises OSError where that is not possible."""

    def __init__(self, destination: str) -> None:
        self._is_file = destination != "stdout"
        self._stream: TextIO = (
            Path(destination).open("a", encoding="utf-8") if self._is_file else sys.stdout  # noqa: SIM115
        )

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write one line per entry. When this returns the lines outlive the process.

        In a file they outlive the machine too.
        """
        if not entries:
            return
        lines = [json.dumps(entry, default=_binary, separators=(",", ":")) for entry in entries]
        self._stream.write("\n".join(lines) + "\n")
        self._stream.flush()
        if self._is_file:
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        if self._is_file:
            self._stream.close()


def _binary(value: object) -> object:
    """Binary attributes in base64, as DynamoDB's own JSON has them; sets as lists."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"cannot write {type(value).__name__} to the audit log")
