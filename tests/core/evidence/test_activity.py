"""Whether lastActiveAt can be believed, and whom we have sent a heartbeat ourselves."""

from __future__ import annotations

from reaper.core.evidence.activity import MAX_TRIALS, Belief, OwnHeartbeats, SelfTest


def tried(*pairs: tuple[float, float | None]) -> SelfTest:
    """What the first and the second GET told, trial by trial."""
    test = SelfTest()
    for first, second in pairs:
        assert test.wants_trial
        test.first("c", first)
        assert not test.wants_trial
        test.second("c", second)
    return test


def test_a_time_that_stays_where_it_was_is_believed():
    assert tried((100.0, 100.0)).belief is Belief.BELIEVED


def test_a_client_that_happens_to_talk_in_between_decides_nothing():
    assert tried((100.0, 103.0)).belief is Belief.UNTESTED
    assert tried((100.0, 103.0), (103.0, 103.0)).belief is Belief.BELIEVED


def test_a_time_that_follows_our_own_checks_is_not_believed():
    assert tried(*[(n, n + 3.0) for n in range(MAX_TRIALS)]).belief is Belief.DISBELIEVED


def test_nor_one_that_nobody_stays_to_tell():
    assert tried(*[(100.0, None)] * MAX_TRIALS).belief is Belief.DISBELIEVED


def test_a_trial_that_was_not_ended_is_begun_anew():
    test = SelfTest()
    test.first("c", 100.0)
    test.give_up()
    assert test.wants_trial


def test_own_heartbeats_are_remembered_up_to_a_number():
    own = OwnHeartbeats(max_kept=2)
    for n, name in enumerate(["a", "b", "a", "c"]):
        own.note(name, n)
    assert own.last_to("a") == 2
    assert own.last_to("c") == 3
    assert own.last_to("b") < 0
