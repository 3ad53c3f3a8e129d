"""AWS's own variables, tidied before botocore reads them: it would sign with a line break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

PREFIX = "AWS_"

_WITHOUT_SPACES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


def tidy_aws_variables(environ: MutableMapping[str, str]) -> None:
    """Take off the white space around values; what is empty then is not set at all."""
    for name in [name for name in environ if name.startswith(PREFIX)]:
        value = environ[name].strip()
        if value:
            environ[name] = value
        else:
            del environ[name]


def aws_faults(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that cannot be meant so, and why. Their values may be secret and are not told."""
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        value = environ[name]
        if name in _WITHOUT_SPACES and any(letter.isspace() for letter in value):
            yield name, "holds a space or a line break in the middle: copy it again, in one piece"
        elif not value.isprintable():
            yield name, "holds a line break or another character that cannot be printed"
        elif name.startswith("AWS_ENDPOINT_URL") and not value.startswith(("http://", "https://")):
            yield name, f"must be a URL, such as http://localhost:4566 (it is {value!r})"
