"""What every command that needs the operator's settings begins with."""

from __future__ import annotations

import os

import boto3
import structlog

from reaper.aws.session import region_of
from reaper.aws.transport.proxies import ProxyUnfit, check_proxies
from reaper.config.aws_variables import tidy_aws_variables
from reaper.config.environment import SettingsError, load_settings
from reaper.config.settings import Settings
from reaper.config.warnings import risk_warnings, unknown_variables
from reaper.telemetry.audit import AuditLog
from reaper.telemetry.logs import configure_logs

log = structlog.get_logger()


def read_settings() -> tuple[Settings, boto3.Session]:
    """Read the environment and set up the log. Raises SettingsError."""
    tidy_aws_variables(os.environ)
    session = boto3.Session()
    settings = load_settings(region_of(session))
    try:
        check_proxies()
    except ProxyUnfit as error:
        raise SettingsError({error.variable: [error.why]}) from None
    configure_logs(settings.log_format, settings.log_level)
    return settings, session


def prepare() -> tuple[Settings, boto3.Session]:
    """The same, with warnings of what is hardly meant. Raises SettingsError."""
    settings, session = read_settings()
    for warning in warnings_of(settings, session):
        log.warning(warning)
    return settings, session


def warnings_of(settings: Settings, session: boto3.Session) -> list[str]:
    """What is hardly meant, or read by nobody."""
    return [*unknown_variables(), *risk_warnings(settings, region_of(session))]


def open_audit_log(settings: Settings) -> AuditLog:
    """Before anything is evicted, so that a fault shows by then. Raises SettingsError."""
    try:
        return AuditLog(settings.audit_log)
    except OSError as error:
        fault = f"must be a file that can be written to, in a directory that exists: {error}"
        raise SettingsError({"REAPER_AUDIT_LOG": [fault]}) from None
