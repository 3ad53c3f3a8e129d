"""Settings that are legal but hardly meant, or that nobody reads: each warning names its cure."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator

from reaper.config.rules import configured_endpoint
from reaper.config.settings import PREFIX, Settings, variables
from reaper.core.pacing.rate import SPREAD_FRACTION
from reaper.core.platform import CONNECT_MAY_TAKE_SECONDS, IDLE_TIMEOUT_SECONDS
from reaper.core.triage import HeartbeatMode


def unknown_variables() -> Iterator[str]:
    """Variables that have our prefix but that nobody reads, each with the nearest name."""
    known = [name.removeprefix(PREFIX) for name in variables()]
    for variable in sorted(name for name in os.environ if name.startswith(PREFIX)):
        name = variable.removeprefix(PREFIX)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {PREFIX}{near[0]}?" if near else "'reaper env' lists all there are"
            )
            yield f"{variable} is no variable of this program and has no effect: {hint}"


def risk_warnings(settings: Settings, region: str | None) -> Iterator[str]:
    """What is legal but hardly meant, or less safe than it could be."""
    endpoint = configured_endpoint(settings, region)
    if endpoint is not None and region and endpoint.region != region:
        yield (
            f"REAPER_API_ENDPOINT is in {endpoint.region} and the table in {region}: correct"
            " AWS_REGION if that is not meant"
        )
    if settings.newborn_grace_seconds < CONNECT_MAY_TAKE_SECONDS:
        yield (
            f"REAPER_NEWBORN_GRACE_SECONDS={settings.newborn_grace_seconds:g} is shorter than a"
            f" $connect integration may take: until that has returned a connection answers 410,"
            f" so use at least {CONNECT_MAY_TAKE_SECONDS:g} where rows are written before it does"
        )


def schedule_warnings(settings: Settings) -> Iterator[str]:
    """What ``reaper run`` cannot keep at these intervals, with the cure."""
    if settings.heartbeat_mode is HeartbeatMode.OFF:
        return
    pause = settings.sweep_interval_seconds - settings.spread_window_seconds
    if settings.pong_timeout_seconds > pause:
        yield (
            f"REAPER_PONG_TIMEOUT_SECONDS={settings.pong_timeout_seconds:g} is longer than the"
            f" {pause:g} s between the last heartbeat of a sweep and the next sweep, which will"
            " come late: shorten it, or sweep less often"
        )
    if settings.max_heartbeat_ratio:
        yield from _warnings_of_limit(settings)
    longest_wait = settings.sweep_interval_seconds + settings.spread_window_seconds
    if longest_wait > settings.heartbeat_interval_seconds:
        yield (
            f"REAPER_SWEEP_INTERVAL_SECONDS={settings.sweep_interval_seconds:g} lets up to"
            f" {longest_wait:g} s pass between two looks at a row, so a socket may stay silent"
            f" for longer than REAPER_HEARTBEAT_INTERVAL_SECONDS="
            f"{settings.heartbeat_interval_seconds:g}: sweep at least every"
            f" {settings.heartbeat_interval_seconds / (1 + SPREAD_FRACTION):.3g} s"
        )


def _warnings_of_limit(settings: Settings) -> Iterator[str]:
    """What REAPER_MAX_HEARTBEAT_RATIO cannot do, or does that is hardly meant."""
    longest = settings.max_heartbeat_interval_seconds
    limit = f"REAPER_MAX_HEARTBEAT_RATIO={settings.max_heartbeat_ratio:g}"
    if longest >= IDLE_TIMEOUT_SECONDS:
        yield (
            f"REAPER_MAX_HEARTBEAT_INTERVAL_SECONDS={longest:g} lets {limit} stretch the heartbeat"
            f" interval beyond {IDLE_TIMEOUT_SECONDS}, after which API Gateway closes idle sockets"
        )
    if longest <= settings.heartbeat_interval_seconds:
        yield (
            f"REAPER_MAX_HEARTBEAT_INTERVAL_SECONDS={longest:g} leaves {limit} no room above"
            f" REAPER_HEARTBEAT_INTERVAL_SECONDS={settings.heartbeat_interval_seconds:g}"
        )
    elif longest <= 2 * settings.sweep_interval_seconds:
        yield (
            f"{limit} has no effect on clients that are silent: with"
            f" REAPER_SWEEP_INTERVAL_SECONDS={settings.sweep_interval_seconds:g} each of them needs"
            f" a heartbeat in every sweep; sweep at least every {longest / 4:.3g} s"
        )
