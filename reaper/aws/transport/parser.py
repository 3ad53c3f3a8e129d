"""Answers out of the bytes of one connection, by llhttp, and none larger than it may be."""

from __future__ import annotations

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


class BadAnswer(Exception):
    """What came is no HTTP answer, or is larger than it may be. The message says which."""


Head = dict[bytes, bytes]
"""Headers by their names, as they came. Of several with one name the last."""


def header_of(head: Head, name: bytes) -> bytes | None:
    """The value of a header, whose name is given in lower case."""
    return next((value for held, value in head.items() if held.lower() == name), None)


class AnswerParser:
    """One answer at a time: ``reset``, then ``feed`` until ``is_complete``.

    Of an answer that is not complete, ``head`` and ``body`` are those of the one before.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._coming: Head = {}
        self._pieces: list[bytes] = []
        # Called by llhttp with each header's name and value, and with each piece of a body.
        self.on_header = self._coming.__setitem__
        self.on_body = self._pieces.append
        self._llhttp = HttpResponseParser(self)
        self.head: Head = {}
        self.body = b""
        self.is_overfull = False
        """Whether more has come than the answer that was awaited."""
        self.reset()

    def reset(self) -> None:
        """Await the next answer."""
        self.status = 0
        self.is_complete = False
        self.may_keep_alive = False
        self._head_bytes = self._body_bytes = 0
        self._coming.clear()
        self._pieces.clear()

    def feed(self, data: bytes) -> None:
        """Raises BadAnswer."""
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
        if self.status >= FIRST_FINAL and not (
            header_of(self.head, b"content-length") or header_of(self.head, b"transfer-encoding")
        ):
            self._complete()
        return self.is_complete

    def _check_size(self, fed_bytes: int) -> None:
        """Of what has come of an answer that is not complete, and of what it announces."""
        if self.status < FIRST_FINAL:
            self._head_bytes += fed_bytes
            if self._head_bytes > MAX_HEADER_BYTES:
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
            self.head = self._coming.copy()

    def on_message_complete(self) -> None:
        if self.is_overfull:
            return
        if self.status < FIRST_FINAL:
            self._coming.clear()  # an interim answer: the one that counts is still to come
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
