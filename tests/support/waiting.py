"""What tests do until something has happened elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 20, every: float = 0.05) -> None:
    """Wait until it holds; fail if it never does."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"{condition} never came true"
        time.sleep(every)
