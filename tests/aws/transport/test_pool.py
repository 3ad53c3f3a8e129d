"""The pool: which connection is lent, and which is kept."""

from __future__ import annotations

from types import SimpleNamespace

from reaper.aws.transport.connection import Origin
from reaper.aws.transport.pool import (
    MAX_IDLE_PER_ORIGIN,
    MAX_IDLE_SECONDS,
    RESTED_SECONDS,
    ConnectionPool,
)

ORIGIN = Origin("https", "a.example", 443, None)


def a_connection(number: int):
    connection = SimpleNamespace(number=number, origin=ORIGIN, is_open=True)
    connection.close = lambda: setattr(connection, "is_open", False)
    return connection


def a_pool(*since: float):
    pool, connections = ConnectionPool(), []
    for number, moment in enumerate(since, 1):
        connections.append(a_connection(number))
        pool.keep(connections[-1], moment)
    return pool, connections


def test_the_one_that_was_used_last_is_lent():
    pool, (_, second) = a_pool(0.0, 1.0)
    assert pool.take(ORIGIN, 1.0) is second
    assert pool.take(ORIGIN._replace(port=444), 1.0) is None


def test_a_closed_one_is_never_lent():
    pool, (first, second) = a_pool(0.0, 1.0)
    second.close()
    assert pool.take(ORIGIN, 1.0) is first
    assert pool.take(ORIGIN, 1.0) is None


def test_a_rested_one_is_the_last_that_has_rested_but_not_the_one_that_is_excluded():
    """So those that nobody needs grow old, and are closed in time."""
    pool, (first, second, third, _) = a_pool(0.0, 0.1, 0.2, 5.0)
    now = 0.2 + RESTED_SECONDS
    assert pool.take_rested(ORIGIN, third.number, now) is second
    third.close()
    assert pool.take_rested(ORIGIN, first.number, now) is None
    assert pool.take_rested(ORIGIN, 0, now) is first
    assert pool.take_rested(ORIGIN, 0, now) is None


def test_what_nobody_needs_is_closed_in_time():
    pool, (first, second) = a_pool(0.0, 50.0)
    pool.keep(a_connection(3), MAX_IDLE_SECONDS + 1)
    assert (first.is_open, second.is_open) == (False, True)


def test_no_more_wait_than_there_is_room_for_and_those_that_have_rested_stay():
    pool, connections = a_pool(*([0.0] * (MAX_IDLE_PER_ORIGIN + 3)))
    assert [one.is_open for one in connections] == [True] * MAX_IDLE_PER_ORIGIN + [False] * 3
    pool.close()
    assert not any(one.is_open for one in connections)
