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
    """One answer at a time: ``reset``, then ``feed`` until ``is_complete``.

    Of an answer that is not complete, ``headers`` and ``body`` are those of the one before.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._head: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        # Called by llhttp with each header's name and value, and with each piece of a body.
        self.on_header = self._head.__setitem__
        self.on_body = self._pieces.append
        self._llhttp = HttpResponseParser(self)
        self.headers: dict[bytes, bytes] = {}
        """Names in lower case. Of several with one name the last."""
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
        self._head.clear()
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
        has_length = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if self._has_head and not has_length:
            self._complete()
        return self.is_complete

    @property
    def _has_head(self) -> bool:
        """Whether all headers of an answer are there; interim answers do not count."""
        return self.status >= 200

    def _check_size(self, fed_bytes: int) -> None:
        """Of what has come of an answer that is not complete, and of what it announces."""
        if not self._has_head:
            self._head_bytes += fed_bytes
            if self._head_bytes > MAX_HEADER_BYTES:
                raise BadAnswer(f"its headers are longer than {MAX_HEADER_BYTES // 1024} kB")
            return
        self._body_bytes += fed_bytes if self._body_bytes else sum(map(len, self._pieces))
        announced_bytes = int(self.headers.get(b"content-length", b"0"))
        if max(announced_bytes, self._body_bytes) > self._max_body_bytes:
            raise BadAnswer(self._too_large)

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.is_overfull = True

    def on_headers_complete(self) -> None:
        if not self.is_overfull:
            self.status = self._llhttp.get_status_code()
            self.headers = {name.lower(): value for name, value in self._head.items()}

    def on_message_complete(self) -> None:
        if self.is_overfull:
            return
        if not self._has_head:
            self._head.clear()  # an interim answer: the one that counts is still to come
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
