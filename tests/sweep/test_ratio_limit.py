"""The limit on the ratio, in hours of the simulated world: the daemon's rules, a chat's traffic."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from reaper.core.report.ratio import HeartbeatPace, RatioLimit, heartbeat_message_ratio
from reaper.core.sweep_rules import EvictAction
from reaper.core.triage import HeartbeatMode
from tests.support.simulation import Design, Life, Time

pytestmark = pytest.mark.worlds

DESIGN = Design(
    keyed_by_user=False,
    time=Time.TRUE,
    stores_last_seen=True,
    expects_pongs=True,
    action=EvictAction.DELETE,
    mode=HeartbeatMode.IDLE,
    budget=1000,
)


class Chat(Life):
    """60 clients that stay, of whom ten talk. Sweeps come every minute, and never too late."""

    def __init__(self, limit: RatioLimit | None) -> None:
        super().__init__(seed=7, design=DESIGN)
        self.interval = 60.0
        self.pace = HeartbeatPace(limit or RatioLimit(inf, 480, 480), 0)
        self.seconds_between_messages = 10.0
        for n in range(60):
            self.at(n / 60, lambda n=n: self.connect(f"user{n}", stays=True))

    def _open(self, connection: str) -> None:
        super()._open(connection)
        if int(connection.split("-")[1]) < 10:
            self.say(connection)

    def _talk(self, connection: str) -> None:
        """Nobody talks at random here."""

    def say(self, connection: str) -> None:
        self.messages += 1
        self._note_traffic(connection)
        self._sign_of_life(connection)
        self.at(self.moment + self.seconds_between_messages, lambda: self.say(connection))

    def ratio_of(self, minutes: int) -> float | None:
        """Live for so long, each sweep by the interval that the one before has left."""
        heartbeats = messages = 0
        for _ in range(minutes):
            said_before = self.messages
            report = self.sweep_at(self.moment // 60 * 60 + 60)
            assert report is not None
            self.pass_to(self.moment // 60 * 60 + 59)
            said = self.messages - said_before
            heartbeats, messages = heartbeats + report.heartbeats, messages + said
            self.pace.learn(replace(report, messages=said), self.moment)
            self.heartbeat_interval = self.pace.interval_seconds
        return heartbeat_message_ratio(heartbeats, messages)


def test_too_many_heartbeats_become_fewer_and_no_socket_is_lost():
    free, limited = Chat(None), Chat(RatioLimit(0.01, 480, 540))
    free.ratio_of(30), limited.ratio_of(30)
    before, after = free.ratio_of(60), limited.ratio_of(60)

    assert after < 0.95 * before
    assert limited.heartbeat_interval == 540
    assert limited.lost_to_idle == []


def test_a_sweep_that_comes_a_minute_late_costs_no_socket_at_the_longest_interval():
    chat = Chat(RatioLimit(0.01, 480, 540))
    chat.ratio_of(40)
    assert chat.heartbeat_interval == 540
    for late in (15, 30, 45, 55):
        chat.pass_to(chat.moment + late)
        chat.ratio_of(12)
    assert chat.lost_to_idle == []


def test_told_to_go_beyond_the_idle_timeout_it_keeps_the_limit():
    chat = Chat(RatioLimit(0.05, 480, 7200))
    chat.ratio_of(20)
    assert chat.ratio_of(60) <= 0.05
    assert chat.lost_to_idle, "which is what it was told to put up with"


def test_when_people_talk_again_heartbeats_are_as_frequent_as_before():
    chat = Chat(RatioLimit(0.3, 480, 540))
    chat.seconds_between_messages = 120
    chat.ratio_of(40)
    assert chat.heartbeat_interval == 540
    chat.seconds_between_messages = 5
    chat.ratio_of(40)
    assert chat.heartbeat_interval == 480
