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


class BadAnswer(Exception):
    """What came is no HTTP answer, or is larger than it may be. The message says which."""


class AnswerParser:
    """One answer at a time: ``reset``, then ``feed`` until ``is_complete``."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._head: dict[bytes, bytes] = {}
        """Header lines as they come."""
        self.on_header = self._head.__setitem__  # called by llhttp for each, with name and value
        self._llhttp = HttpResponseParser(self)
        self.is_overfull = False
        """Whether more has come than the answer that was awaited."""
        self.reset()

    def reset(self) -> None:
        """Await the next answer."""
        self.status = 0
        self._head.clear()
        self.headers: dict[bytes, bytes] = {}
        """Names in lower case. Of several with one name the last."""
        self.body = b""
        self.is_complete = False
        self.may_keep_alive = False
        self._has_head = False
        self._unread_bytes = 0
        self._pieces: list[bytes] = []
        self._body_bytes = 0

    def feed(self, data: bytes) -> None:
        """Raises BadAnswer."""
        if not self._has_head:
            self._unread_bytes += len(data)
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
        if not self._has_head and self._unread_bytes > MAX_HEADER_BYTES:
            raise BadAnswer(f"its headers are longer than {MAX_HEADER_BYTES // 1024} kB")

    def end(self) -> bool:
        """The server has closed the connection. Whether that is how the answer ends."""
        has_length = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if self._has_head and not has_length:
            self._complete()
        return self.is_complete

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.is_overfull = True

    def on_headers_complete(self) -> None:
        if self.is_overfull:
            return
        self.status = self._llhttp.get_status_code()
        self._has_head = self.status >= 200
        self.headers = {name.lower(): value for name, value in self._head.items()}
        length = self.headers.get(b"content-length")
        if length is not None and int(length) > self._max_body_bytes:
            raise BadAnswer(self._too_large)

    def on_body(self, data: bytes) -> None:
        if self.is_overfull:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._max_body_bytes:
            raise BadAnswer(self._too_large)
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self.is_overfull:
            return
        if self.status < 200:
            self._head.clear()  # an interim answer: the one that counts is still to come
            return
        self._complete()
        self.may_keep_alive = self._llhttp.should_keep_alive()

    def _complete(self) -> None:
        self.is_complete = True
        pieces = self._pieces
        self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def _too_large(self) -> str:
        return f"it is larger than {self._max_body_bytes // 1024} kB"
