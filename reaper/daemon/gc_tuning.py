"""The garbage collector, set for a process that lives for months and sees millions of rows."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000
"""A page of rows is as many; Python's own 700 would have it look at each page a hundred times."""


def tune_gc() -> None:
    """To be called when everything is loaded: that much will never be garbage.

    Rows, probes and answers hold no cycles and go by reference count; the collector is for the odd
    exception that does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
