"""An outage is over once all has been well for a while, and is told of once and whole."""

from __future__ import annotations

from reaper.core.report.condition import Condition, State
from reaper.core.report.outage import Outage


def seen(outage: Outage, *states: tuple[State, float]) -> list[tuple[str, float]]:
    """What is over, of states that begin at such moments and are looked at just then."""
    found = []
    for state, since in states:
        over = outage.note(Condition(state, since, state.value, ""), since)
        found += [(over.worst.why, over.lasted_seconds)] if over else []
    return found


def test_it_lasts_from_the_first_bad_state_and_is_as_bad_as_the_worst():
    outage = Outage(100)
    states = ((State.DEGRADED, 1000), (State.FAILING, 1100), (State.DEGRADED, 1300))
    assert seen(outage, *states, (State.OK, 1400)) == []
    well = Condition(State.OK, 1400, "", "")
    assert outage.note(well, 1549) is None
    over = outage.note(well, 1550)
    assert over is not None
    assert (over.worst.state, over.lasted_seconds) == (State.FAILING, 400)
    assert outage.note(well, 9999) is None


def test_one_that_comes_back_at_once_is_not_over():
    outage = Outage(100)
    flapping = [(state, 100.0 * n) for n in range(10) for state in (State.FAILING, State.OK)]
    assert seen(outage, *flapping) == []


def test_starting_and_being_well_is_no_outage():
    assert seen(Outage(0), (State.STARTING, 0), (State.OK, 10), (State.OK, 10)) == []
