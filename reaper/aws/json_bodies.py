"""JSON as services send it, which may be anything: HTML, half an object, a thousand brackets."""

from __future__ import annotations

from typing import Any, TypeVar

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


def read_refusal(body: bytes) -> tuple[str, str]:
    """Error code and message, each empty where a service has not written it into the body."""
    held = read_object(body)
    code = str(held.get("__type", "")).rpartition("#")[2]
    return code, str(held.get("message") or held.get("Message") or "")


def read_object(body: bytes) -> dict[str, Any]:
    """Empty where a body is no JSON object."""
    try:
        return read_json(json_object, body)
    except UnreadableBody:
        return {}
