"""A progress bar on a terminal, for a sweep that takes longer than a moment."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from reaper.core.report.report import Progress

SHOWN_AFTER_SECONDS = 1.5


class ProgressBar:
    """Shows how far a sweep has come, on stderr; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._started = time.monotonic()
        self._bar: Bar | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self._started < SHOWN_AFTER_SECONDS:
            return
        if self._bar is None:
            self._bar = Bar(
                TextColumn("sweeping"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("sweep", total=None, note="")
            self._bar.start()
        self._bar.update(
            self._task,
            completed=max(0, progress.scanned - progress.waiting),
            total=max(progress.row_estimate, progress.scanned) or None,
            note=f"{progress.scanned:,} rows, {progress.waiting:,} waiting, {progress.gone:,} gone"
            + what_it_waits_for(progress),
        )


def what_it_waits_for(progress: Progress) -> str:
    if progress.is_evicting:
        return "; evicting"
    if not progress.suspects:
        return ""
    next_look = progress.next_look_seconds
    when = "" if next_look is None else f" in {next_look:.0f} s"
    return f"; asking {progress.suspects:,} suspects again{when}"
