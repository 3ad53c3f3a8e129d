"""Logs: structlog on stderr, as JSON or for a terminal. Stdout is for results."""

from __future__ import annotations

import io
import logging
import sys

import structlog
from structlog.typing import EventDict, Processor

from reaper.core.masking import masked


class _CurrentStderr(io.TextIOBase):
    """Whatever sys.stderr is at the moment: a progress bar puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Masking(structlog.stdlib.ProcessorFormatter):
    """Of whole lines, so that no value and no traceback can be forgotten."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _summarized(_: object, __: str, event: EventDict) -> EventDict:
    """Where a line has a summary, that is all that a person is shown of it."""
    if "summary" not in event:
        return event
    shown = {name: event[name] for name in ("timestamp", "level") if name in event}
    return {**shown, "event": event["summary"]}


def configure_logs(log_format: str, level: str) -> None:
    """Set up structlog, and the standard library's logging, which libraries use, to follow it."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    if console:
        shared.remove(structlog.processors.format_exc_info)
        shared.append(_summarized)
    handler = logging.StreamHandler(_CurrentStderr())
    handler.setFormatter(
        _Masking(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # It warns of every run that it skips; the daemon says that itself, with the cure.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It has a traceback for every attempt; reaper/aws/credentials.py has a line.
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)
    # It would name the addresses of clients, and let them fill the log.
    logging.getLogger("waitress").setLevel(logging.CRITICAL + 1)
    logging.getLogger("reaper").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=lambda *_: logging.getLogger("reaper"),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
