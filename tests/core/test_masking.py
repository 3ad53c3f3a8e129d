"""No password of a URL is ever read, wherever it stands in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.masking import masked

words = st.from_regex(r"[A-Za-z0-9%._~!$&'()*+,;=:-]{1,20}", fullmatch=True)


@given(user=words, password=words, before=st.text(), after=st.text())
def test_no_password_is_left(user, password, before, after):
    secret = f"{user}:{password}@"
    assert masked(f"{before}http://{secret}host/{after}").count(f"//{secret}") == 0


@pytest.mark.parametrize("password", ["pa ss", "pa/ss", "p@ss", "!a b", "p:/@"])
def test_no_password_is_left_that_should_have_been_percent_encoded(password):
    refused = f"REAPER_API_ENDPOINT 'https://user:{password}@host/prod' must hold no credentials"
    assert masked(refused) == (
        "REAPER_API_ENDPOINT 'https://***@host/prod' must hold no credentials"
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://h: 403 on GET @connections",
        "https://h:443: no answer, a@b",
        "",
        "a@b",
        "http://host/a@b",
        "https://h:443/@connections/abc=",
        "no url: x@y",
    ],
)
def test_what_is_no_password_stays(text):
    assert masked(text) == text
