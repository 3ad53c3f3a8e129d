"""Whose certificates are trusted, as botocore has it: one rule for all that is said over HTTP."""

from __future__ import annotations

import os
import ssl
from typing import NamedTuple

import boto3
from botocore.httpsession import get_cert_path

from reaper.core.errors import Fault


class TrustStoreError(Fault):
    """There are no trusted certificates to be had. The message names the variable."""


class Trust(NamedTuple):
    """Certificates that are trusted."""

    ca_file: str
    variable: str
    """Which setting names that file; empty where none does, and it is certifi's."""
    context: ssl.SSLContext

    def __str__(self) -> str:
        return f"those in {self.ca_file}{self.variable and f', from {self.variable}'}"


def trust(session: boto3.Session) -> Trust:
    """AWS_CA_BUNDLE or ``ca_bundle``, else REQUESTS_CA_BUNDLE, else certifi's.

    Raises TrustStoreError where the file cannot be read, or holds no certificates.
    """
    configured = session._session.get_config_variable("ca_bundle")
    if configured is not None:
        variable = "AWS_CA_BUNDLE" if "AWS_CA_BUNDLE" in os.environ else "ca_bundle"
        return trust_in(str(configured), variable)
    if (configured := os.environ.get("REQUESTS_CA_BUNDLE")) is not None:
        return trust_in(configured, "REQUESTS_CA_BUNDLE")
    return trust_in(str(get_cert_path(True)))


def trust_in(ca_file: str, variable: str = "") -> Trust:
    """Raises TrustStoreError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    must_be = f"{variable or 'AWS_CA_BUNDLE'} must be a file of certificates in PEM"
    if not ca_file.strip():
        raise TrustStoreError(f"{must_be}, and it is empty: unset it for the usual authorities")
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise TrustStoreError(f"{must_be}: {ca_file}: {error}") from None
    return Trust(ca_file, variable, context)
