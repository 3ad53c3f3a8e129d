"""What the image is built from is there, and is let through to the builder."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_whatever_is_copied_exists_and_is_not_ignored():
    dockerfile = (ROOT / "deploy/ecs/Dockerfile").read_text()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    assert "constraints.txt" in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in let_through
