"""What a daemon has logged so far."""

from __future__ import annotations

import json


def log_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def sweeps(path) -> list[dict]:
    return [entry for entry in log_of(path) if entry["event"] == "sweep finished"]
