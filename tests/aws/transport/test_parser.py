"""Headers are found in the text of an answer as llhttp finds them, in whatever pieces it comes."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from httptools import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from reaper.aws.transport.parser import AnswerParser, BadAnswer, header_of

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True).filter(
    lambda name: name.lower() not in ("connection", "upgrade", "transfer-encoding")
)
values = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
heads = st.dictionaries(names, values, max_size=5).filter(
    lambda head: len({name.lower() for name in head} - {"content-length"}) == len(head)
)
spaces = st.sampled_from(["", " ", "  "])


class Reference:
    """Takes every header from llhttp itself."""

    def __init__(self) -> None:
        self.found: dict[bytes, bytes] = {}

    def on_message_begin(self) -> None:
        self.found.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found[name.lower()] = value


def in_pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, *(cut % (len(text) + 1) for cut in cuts), len(text)})
    return [text[a:b] for a, b in pairwise(at)]


@given(
    head=heads,
    space=spaces,
    interim=st.lists(heads, max_size=2),
    body=st.binary(max_size=30),
    cuts=st.lists(st.integers(0, 500), max_size=4),
)
def test_each_header_is_what_llhttp_says(head, space, interim, body, cuts):
    def written(status: str, lines: dict[str, str]) -> bytes:
        fields = "".join(f"{name}:{space}{value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode()

    final = written("200 OK", {**head, "Content-Length": str(len(body))}) + body
    answer = b"".join(written("103 Early Hints", one) for one in interim) + final
    reference = Reference()
    HttpResponseParser(reference).feed_data(answer)

    parser = AnswerParser(1000)
    for piece in in_pieces(answer, cuts):
        parser.feed(piece)

    assert (parser.is_complete, parser.status, parser.body) == (True, 200, body)
    for name, value in reference.found.items():
        assert header_of(parser.head, name) == value.strip()
    assert header_of(parser.head, b"x-amzn-requestid-not-there") is None


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", None])
def test_an_answer_whose_lines_end_otherwise_has_no_headers_or_is_none(line_end, interim):
    answer = line_end.join([b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok"])
    if interim is None:
        interim = b"HTTP/1.1 100 Continue" + 2 * line_end
    parser = AnswerParser(1000)
    with suppress(BadAnswer):
        parser.feed(interim + answer)
    assert header_of(parser.head, b"content-length") is None


def test_what_a_body_says_is_no_header():
    parser = AnswerParser(1000)
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n\r\nx-amzn-RequestId: forged")
    assert header_of(parser.head, b"x-amzn-requestid") is None
