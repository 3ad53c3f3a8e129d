"""Answers out of the bytes of one connection, by llhttp, and none larger than it may be."""

from __future__ import annotations

from typing import Any

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

MAX_HEADER_BYTES = 65_536
"""Of one answer, looked at as they come. AWS sends about 400 bytes."""

FIRST_FINAL = 200
"""Answers of a lower status are interim ones, and another follows."""

_TELLING_THE_END = (b"content-length", b"transfer-encoding")


class BadAnswer(Exception):
    """What came is no HTTP answer, or is larger than it may be. The message says which."""


Head = bytes
"""Status line and headers of an answer as they came, without the empty line after them. Few of
them are ever asked for, so they are not taken apart.
"""


def header_of(head: Head, name: bytes) -> bytes | None:
    """The value of the first header with a name, which is given in lower case."""
    mark = b"\r\n%s:" % name
    start = head.lower().find(mark)
    if start < 0:
        return None
    start += len(mark)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()


class AnswerParser:
    """One answer at a time: ``reset``, then ``feed`` until ``is_complete``.

    Of an answer that is not complete, ``head`` and ``body`` may be those of the one before.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # called by llhttp with each piece
        self._llhttp: Any = HttpResponseParser(self)
        self.head: Head = b""
        self.body = b""
        self.is_overfull = False
        """Whether more has come than the answer that was awaited."""
        self.reset()

    def reset(self) -> None:
        """Await the next answer."""
        self.status = 0
        self.is_complete = False
        self.may_keep_alive = False
        self._unparsed = b""
        self._interim_answers = self._body_bytes = 0
        self._pieces.clear()

    def feed(self, data: bytes) -> None:
        """Raises BadAnswer."""
        if self.status < FIRST_FINAL:
            self._unparsed = self._unparsed + data if self._unparsed else data
        try:
            self._llhttp.feed_data(data)
        except HttpParserCallbackError as error:
            raise BadAnswer(str(error.__context__ or error)) from None
        except HttpParserUpgrade:
            raise BadAnswer("it switches to another protocol") from None
        except HttpParserError as error:
            if not self.is_complete:
                raise BadAnswer(f"it is not HTTP: {error}") from None
            self.is_overfull = True
        if not self.is_complete:
            self._check_size(len(data))

    def end(self) -> bool:
        """The server has closed the connection. Whether that is how the answer ends."""
        ends_so = not any(header_of(self.head, name) for name in _TELLING_THE_END)
        if self.status >= FIRST_FINAL and ends_so:
            self._complete()
        return self.is_complete

    def release(self) -> None:
        """Nothing more is fed. Until then parser and llhttp hold each other."""
        self._llhttp = None

    def _check_size(self, fed_bytes: int) -> None:
        """Of what has come of an answer that is not complete, and of what it announces."""
        if self.status < FIRST_FINAL:
            if len(self._unparsed) > MAX_HEADER_BYTES:
                raise BadAnswer(f"its headers are longer than {MAX_HEADER_BYTES // 1024} kB")
            return
        self._body_bytes += fed_bytes if self._body_bytes else sum(map(len, self._pieces))
        announced_bytes = int(header_of(self.head, b"content-length") or 0)
        if max(announced_bytes, self._body_bytes) > self._max_body_bytes:
            raise BadAnswer(self._too_large)

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.is_overfull = True

    def on_headers_complete(self) -> None:
        if not self.is_overfull:
            self.status = self._llhttp.get_status_code()
            heads = self._unparsed.split(b"\r\n\r\n", self._interim_answers + 1)
            self.head = heads[self._interim_answers]

    def on_message_complete(self) -> None:
        if self.is_overfull:
            return
        if self.status < FIRST_FINAL:
            self._interim_answers += 1  # the answer that counts is still to come
            return
        self._complete()
        self.may_keep_alive = self._llhttp.should_keep_alive()

    def _complete(self) -> None:
        self.is_complete = True
        pieces = self._pieces
        self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if len(self.body) > self._max_body_bytes:
            raise BadAnswer(self._too_large)

    @property
    def _too_large(self) -> str:
        return f"it is larger than {self._max_body_bytes // 1024} kB"
