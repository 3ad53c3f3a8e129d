"""JSON as services send it, which may be anything: HTML, half an object, a thousand brackets."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class UnreadableBody(ValueError):
    """A body is not what it should be. The message says why."""


def read_json(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Raises UnreadableBody, and nothing else."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableBody(str(error)) from None
    except RecursionError:
        raise UnreadableBody("it is nested too deeply") from None


json_object = msgspec.json.Decoder(dict)
