"""A handful of clients, some of them gone, and what every report must add up to."""

from __future__ import annotations

from typing import Any

from reaper.core.report.report import Report
from reaper.core.triage import HeartbeatMode
from tests.support.world import World, rules

OFF = rules(heartbeat_mode=HeartbeatMode.OFF)


def a_world(live: int = 10, zombies: int = 5, **changes: Any) -> World:
    world = World(**changes)
    for n in range(live):
        world.add(f"live-{n}", alive=True)
    for n in range(zombies):
        world.add(f"zombie-{n}", alive=False)
    return world


def adds_up(report: Report) -> bool:
    kinds = (report.newborn, report.fresh, report.expired, report.foreign, report.malformed)
    asked = report.alive + report.confirmed + report.unknown + report.pending
    return (
        report.scanned == sum(kinds) + report.due
        and report.evicted + report.changed + report.held + report.failed == report.confirmed
        and (not report.complete or report.due + report.expired == asked)
        and report.confirmed <= report.gone
    )
